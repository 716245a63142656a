"""With a closed intake, nothing new is accepted, and work under way goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from choreography.web.app import build_app
from tests.unit.engine.toy import Asked, Opened, Put, desk
from tests.unit.runtime.test_driver import Bank, Running, event
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ask, ready, until


@pytest.fixture
async def closed() -> AsyncIterator[Running]:
    """Start a desk with its intake closed."""
    sidecar, bank = FakeSidecar(), Bank()
    bank.open.set()
    refused: list[str] = []
    async with sidecar.listening(), bank.listening():
        outsides = {"bank": f"http://127.0.0.1:{bank.port}"}
        settings = sidecar.settings(self_check=False, outsides=outsides, intake_open=False)
        app = build_app(desk, settings, refused.append)
        async with alive(app):
            await until(lambda: ready(app))
            yield Running(app, sidecar, bank)
    assert not refused


async def test_a_command_is_refused_and_nothing_of_it_is_published(closed: Running) -> None:
    """The response says what happened, why, and what to do."""
    status, answer = await ask(closed.app, "POST", "/boxes", {"box": "b"})
    assert status == 503
    assert "intake of this service is closed" in answer["detail"]
    assert "Nothing was done about this request now. Send it again later" in answer["detail"]
    assert not closed.sidecar.published


async def test_deliveries_and_intents_go_on(closed: Running) -> None:
    """Otherwise work under way would never end."""
    await closed.until_acknowledged(event(Put(box="b", amount=1), "put"))
    await closed.until_acknowledged(event(Asked(box="c"), "asked"))
    assert closed.coins("b") == 1
    assert len(closed.bank.keys) == 1


async def test_a_deadline_waits_and_is_still_there_once_the_intake_opens(closed: Running) -> None:
    """Its events would go to the broker that is being left; only a refused job is fired again."""
    await closed.until_acknowledged(event(Opened(box="b"), "opened"))
    job = closed.sidecar.jobs[0]["data"]
    assert (await ask(closed.app, "POST", "/job/due-1", job))[0] == 503
    assert not closed.said("box.reminded.v1")
    opened = build_app(
        desk,
        closed.sidecar.settings(self_check=False, outsides={"bank": f"http://127.0.0.1:{closed.bank.port}"}),
        lambda _: None,
    )
    async with alive(opened):
        await until(lambda: ready(opened))
        assert (await ask(opened, "POST", "/job/due-1", job))[0] == 200
    assert len(closed.said("box.reminded.v1")) == 1
