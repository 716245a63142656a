"""An order that was answered 202 survives a broker that loses its event, a restart, and a kill at the worst moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Literal

import pytest

from choreography.engine import commanding
from choreography.sidecar.client import REMINDERS
from choreography.web import looking_after
from choreography.web.app import Front, build_app
from tests.unit.engine.toy import Opened, desk
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ask, batch, ready, until

HEADERS = {"idempotency-key": "a-key-that-nobody-else-has"}


@pytest.fixture
async def sidecar() -> AsyncIterator[FakeSidecar]:
    """Start a sidecar whose store and scheduler outlive every service on it."""
    fake = FakeSidecar()
    async with fake.listening():
        yield fake


@asynccontextmanager
async def a_desk(sidecar: FakeSidecar, **more: Any) -> AsyncIterator[Front]:
    """Run one process of the desk."""
    refused: list[str] = []
    settings = sidecar.settings(self_check=False, outsides={"bank": "http://127.0.0.1:9"}, **more)
    app = build_app(desk, settings, refused.append)
    async with alive(app):
        await until(lambda: ready(app))
        yield app
    assert not refused


def said(sidecar: FakeSidecar) -> list[dict[str, Any]]:
    """Return the events of commands that reached the broker, which lost them all."""
    return [event for _, event in sidecar.published if event["type"] == "box.opened.v1"]


def reminders(sidecar: FakeSidecar) -> list[dict[str, Any]]:
    """Return the jobs that remind of commands."""
    return [job for job in sidecar.jobs if job["name"].startswith(REMINDERS)]


async def remind(app: Front, job: dict[str, Any]) -> int:
    """Fire a job as the scheduler does."""
    return (await ask(app, "POST", f"/job/{job['name']}", job["data"]))[0]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every event have had the time to arrive."""
    for module in (commanding, looking_after):
        monkeypatch.setattr(module, "MOMENT", timedelta(0))


async def test_what_was_accepted_is_recorded_and_reminded_of_before_it_is_published(sidecar: FakeSidecar) -> None:
    """The scheduler fires until all is settled, however long that takes."""
    order: list[str] = []

    async def published(topic: str, _event: dict[str, Any]) -> None:
        if topic == Opened.topic:
            kept = [key for key in sidecar.store.rows if ".accepted" in key]
            order.append(f"published after {len(kept)} records and {len(reminders(sidecar))} reminder")

    async with a_desk(sidecar, reminder=timedelta(seconds=30)) as app:
        sidecar.on_publish = published
        assert (await ask(app, "POST", "/boxes", {"owner": "ann"}))[0] == 202
    (job,) = reminders(sidecar)
    assert job["failurePolicy"] == {"constant": {"interval": "30s"}}
    assert order == ["published after 2 records and 1 reminder"]


@pytest.mark.usefixtures("later")
async def test_nobody_is_told_that_an_accepted_order_never_was(sidecar: FakeSidecar) -> None:
    """A GET, at another replica or after a restart, publishes it again, and the order goes on."""
    async with a_desk(sidecar) as app:
        _, answer = await ask(app, "POST", "/boxes", {"owner": "ann"})
    path = f"/boxes/{answer['box']}"
    async with a_desk(sidecar) as again:
        for _ in range(3):
            assert await ask(again, "GET", path) == (202, {"box": answer["box"], "status": "accepted"})
        lost, repeated = said(sidecar)
        assert repeated == lost
        await ask(again, "POST", "/events", batch(Opened.topic, repeated))
        assert (await ask(again, "GET", path))[0] == 200
        assert (await ask(again, "GET", "/boxes/another"))[0] == 404
    assert not [key for key in sidecar.store.rows if ".accepted" in key]


@pytest.mark.usefixtures("later")
async def test_where_nobody_asks_the_reminder_heals(sidecar: FakeSidecar) -> None:
    """The reminder works also after a restart, and until there is an outcome."""
    async with a_desk(sidecar) as app:
        await ask(app, "POST", "/boxes", {"owner": "ann"})
    (job,) = reminders(sidecar)
    async with a_desk(sidecar) as again:
        assert await remind(again, job) == 500
        lost, repeated = said(sidecar)
        assert repeated == lost
        await ask(again, "POST", "/events", batch(Opened.topic, repeated))
        assert await remind(again, job) == 200
    assert len(said(sidecar)) == 2


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("fault", ["breaks off before", "500 before"])
async def test_a_kill_between_commit_and_publish_loses_nothing(
    sidecar: FakeSidecar, fault: Literal["breaks off before", "500 before"]
) -> None:
    """Its client got 503, which means unknown; the next process publishes the recorded event."""
    async with a_desk(sidecar) as app:
        sidecar.will("publish", fault)
        assert (await ask(app, "POST", "/boxes", {"owner": "ann"}))[0] == 503
    assert said(sidecar) == []
    async with a_desk(sidecar) as again:
        assert await remind(again, reminders(sidecar)[0]) == 500
    assert len(said(sidecar)) == 1


@pytest.mark.parametrize("what", ["schedule", "read", "commit"])
async def test_what_is_not_durable_is_not_accepted(sidecar: FakeSidecar, what: str) -> None:
    """Without a record and its reminder nothing is accepted, and nothing is published."""
    async with a_desk(sidecar) as app:
        sidecar.will(what, "500 before", times=5)
        assert (await ask(app, "POST", "/boxes", {"owner": "ann"}))[0] == 503
        assert said(sidecar) == []
        assert not [key for key in sidecar.store.rows if ".accepted" in key]


@pytest.mark.usefixtures("later")
async def test_reminders_are_answered_while_the_intake_is_closed(sidecar: FakeSidecar) -> None:
    """Accepted commands must end before the broker is exchanged; only deadlines wait."""
    async with a_desk(sidecar) as app:
        await ask(app, "POST", "/boxes", {"owner": "ann"})
    async with a_desk(sidecar, intake_open=False) as closed:
        assert await remind(closed, reminders(sidecar)[0]) == 500
    assert len(said(sidecar)) == 2


async def test_a_service_with_commands_refuses_to_start_without_a_scheduler(sidecar: FakeSidecar) -> None:
    """No reminder would save a command whose event is lost."""
    sidecar.scheduler = False
    refused: list[str] = []

    async def bring(topic: str, event: dict[str, Any]) -> None:
        if topic == "desk-canary":
            for _ in range(2):
                await ask(app, "POST", "/events", batch(topic, event))

    sidecar.on_publish = bring
    app = build_app(desk, sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}), refused.append)

    async def has_refused() -> bool:
        return bool(refused)

    async with alive(app):
        await until(has_refused)
    assert "declares deadlines and commands, but its sidecar is connected to no scheduler" in refused[0]
