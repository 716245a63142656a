"""Starting in the middle of everything: a service that was down comes back to all that waited for it."""

from __future__ import annotations

import asyncio
from typing import Any

from choreography.topics import canary
from choreography.web.app import build_app
from tests.faults.fake_sidecar import FakeSidecar, alive, ask, batch, ready, until
from tests.unit.engine.events import wire
from tests.unit.engine.toy import Put, desk


async def test_a_service_starts_although_what_waited_for_it_takes_every_worker_of_its_sidecar() -> None:
    """All topics share the sidecar's workers, so a canary comes only after deliveries before it are answered.

    A service that holds them until the canary is back waits for itself, gives up, and meets the same again.
    """
    sidecar = FakeSidecar()
    refused: list[str] = []
    answered = asyncio.Event()

    async def bring(topic: str, event: dict[str, Any]) -> None:
        if topic != canary(desk.name):
            return
        await answered.wait()
        for _ in range(3):
            await ask(app, "POST", "/events", batch(topic, event))

    sidecar.on_publish = bring
    async with sidecar.listening():
        app = build_app(desk, sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}), refused.append)
        async with alive(app), asyncio.timeout(20):
            event = wire(Put(box="b1", amount=1), "put-1", time="2026-11-24T00:00:00Z")
            status, answer = await ask(app, "POST", "/events", batch("street", event))
            answered.set()
            assert (status, answer) == (200, {"statuses": [{"entryId": "0", "status": "SUCCESS"}]})
            await until(lambda: ready(app))
    assert not refused


async def test_a_service_is_not_ready_before_the_canary_is_back() -> None:
    """What it hears it may settle; whoever asks whether it has been checked hears no."""
    sidecar = FakeSidecar()
    refused: list[str] = []
    async with sidecar.listening():
        app = build_app(desk, sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}), refused.append)
        async with alive(app), asyncio.timeout(20):
            event = wire(Put(box="b1", amount=1), "put-1", time="2026-11-24T00:00:00Z")
            await ask(app, "POST", "/events", batch("street", event))
            assert (await ask(app, "GET", "/readyz"))[0] == 503
