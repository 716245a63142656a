"""A broker whose confirmation proves nothing: RabbitMQ's component says "published" without a confirm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from choreography.families import family_of
from choreography.sidecar.client import SidecarClient
from choreography.sidecar.confirms import UNSURE, are_sure
from choreography.web.app import Front, build_app
from tests.unit.engine.events import wire
from tests.unit.engine.toy import Put, desk
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ask, batch, ready, until

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
    """A replica skips the repeated publish only on a broker whose confirms can be trusted."""
    async with desk_on(broker) as (app, sidecar):
        put = wire(Put(box="b1", amount=1), "put-1", time=NOW)
        for _ in range(2):
            await ask(app, "POST", "/events", batch(family_of(put["type"]), put))
        ids = said(sidecar, "box.counted.v1")
        assert len(ids) == times
        assert len(set(ids)) == 1


async def test_a_sidecar_that_names_no_broker_is_not_believed() -> None:
    """An unknown broker's confirms are not trusted."""
    for broker in (*UNSURE, "state.redis"):
        sidecar = FakeSidecar(broker=broker)
        async with sidecar.listening():
            asked = SidecarClient(sidecar.settings())
            try:
                assert not await are_sure(asked)
            finally:
                await asked.close()
