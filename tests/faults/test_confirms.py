"""A broker whose word is not enough: RabbitMQ's component says "published" although no confirm came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from choreography.sidecar.client import Sidecar
from choreography.sidecar.confirms import UNSURE, are_sure
from choreography.web import looking_after
from choreography.web.app import Front, build_app
from tests.faults.fake_sidecar import FakeSidecar, alive, ask, batch, ready, until
from tests.unit.engine.events import wire
from tests.unit.engine.toy import Put, desk

NOW = datetime.now(UTC).isoformat()
UNSURE_ONE = "pubsub.rabbitmq"


@asynccontextmanager
async def desk_on(broker: str) -> AsyncIterator[tuple[Front, FakeSidecar]]:
    """Run the desk on a sidecar with a broker of this kind, its self-check passed."""
    sidecar = FakeSidecar(broker=broker)
    refused: list[str] = []

    async def bring(topic: str, event: dict[str, Any]) -> None:
        if topic == "desk-canary":
            for _ in range(2):
                await ask(app, "POST", "/events", batch(topic, event))

    sidecar.on_publish = bring
    async with sidecar.listening():
        app = build_app(desk, sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}), refused.append)
        async with alive(app):
            await until(lambda: ready(app))
            sidecar.on_publish = None
            yield app, sidecar
    assert not refused


def said(sidecar: FakeSidecar, wire_type: str) -> list[str]:
    """Return the ids of the events of a type that were published."""
    return [event["id"] for _, event in sidecar.published if event["type"] == wire_type]


@pytest.mark.parametrize(("broker", "times"), [("pubsub.redis", 1), (UNSURE_ONE, 2)])
async def test_a_repeat_says_again_what_may_not_have_been_heard(broker: str, times: int) -> None:
    """Where confirms mean something, a replica does not say again what it has said; where they do not, it must."""
    async with desk_on(broker) as (app, sidecar):
        put = wire(Put(box="b1", amount=1), "put-1", time=NOW)
        for _ in range(2):
            await ask(app, "POST", "/events", batch("street", put))
        ids = said(sidecar, "box.counted.v1")
        assert len(ids) == times
        assert len(set(ids)) == 1


async def test_a_command_that_was_confirmed_and_lost_is_published_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its customer holds a 202, and no delivery of the event will ever come by itself."""
    monkeypatch.setattr(looking_after, "_EVERY", 0.1)
    monkeypatch.setattr(looking_after, "_AFTER", timedelta(seconds=0.2))
    async with desk_on(UNSURE_ONE) as (app, sidecar):
        status, _ = await ask(app, "POST", "/boxes", {"owner": "ann"})
        assert status == 202
        (lost,) = [event for _, event in sidecar.published if event["type"] == "box.opened.v1"]

        async def again() -> bool:
            return len(said(sidecar, "box.opened.v1")) > 1

        await until(again)
        assert [event for _, event in sidecar.published if event["type"] == "box.opened.v1"][1] == lost
        await ask(app, "POST", "/events", batch("desk", lost))
        await until_silent(sidecar)


async def until_silent(sidecar: FakeSidecar) -> None:
    """Wait until settling it has ended the looking after it."""
    count = -1

    async def silent() -> bool:
        nonlocal count
        before, count = count, len(said(sidecar, "box.opened.v1"))
        await asyncio.sleep(0.5)
        return before == count

    await until(silent)


async def test_nothing_is_looked_after_where_confirms_mean_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """There it would only cost."""
    monkeypatch.setattr(looking_after, "_EVERY", 0.05)
    monkeypatch.setattr(looking_after, "_AFTER", timedelta(seconds=0.1))
    async with desk_on("pubsub.kafka") as (app, sidecar):
        await ask(app, "POST", "/boxes", {"owner": "ann"})
        await asyncio.sleep(1)
        assert len(said(sidecar, "box.opened.v1")) == 1


async def test_a_sidecar_that_names_no_broker_is_not_believed() -> None:
    """Unknown is not a yes."""
    for broker in (*UNSURE, "state.redis"):
        sidecar = FakeSidecar(broker=broker)
        async with sidecar.listening():
            asked = Sidecar(sidecar.settings())
            try:
                assert not await are_sure(asked)
            finally:
                await asked.close()
