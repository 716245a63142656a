"""The delivery route: every message is read by itself, and says by which topic it came."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from choreography.engine.delivery import Delivery
from choreography.web.app import build_app
from tests.faults.fake_sidecar import FakeSidecar, alive, ask, batch, ready, until
from tests.faults.test_driver import event
from tests.unit.engine.toy import Put, desk


@dataclass
class Taking:
    """A running desk, and every delivery that was handed to its engine."""

    app: Any
    sidecar: FakeSidecar
    submitted: list[Delivery] = field(default_factory=list)

    async def bulk(self, topic: str, *events: dict[str, Any]) -> list[str]:
        """Deliver a batch; return the status of each entry."""
        status, answer = await ask(self.app, "POST", "/events", batch(topic, *events))
        assert status == 200
        return [one["status"] for one in answer["statuses"]]

    async def single(self, topic: str, event: dict[str, Any], path: str = "/events") -> str:
        """Deliver one message as a sidecar does that does not read it."""
        status, answer = await ask(self.app, "POST", path, wrapped(topic, orjson.dumps(event)))
        assert status == 200
        return str(answer["status"])


def wrapped(topic: str, raw: bytes) -> dict[str, str]:
    """Return one raw message as the sidecar wraps it."""
    return {
        "data_base64": base64.b64encode(raw).decode(),
        "datacontenttype": "application/octet-stream",
        "id": "6f3c1f0e-0000-4000-8000-000000000000",
        "pubsubname": "pubsub",
        "source": "Dapr",
        "specversion": "1.0",
        "topic": topic,
        "type": "com.dapr.event.sent",
    }


@pytest.fixture
async def taking() -> AsyncIterator[Taking]:
    """Start a desk."""
    sidecar, refused = FakeSidecar(), list[str]()
    async with sidecar.listening():
        settings = sidecar.settings(self_check=False, outsides={"bank": "http://127.0.0.1:9"})
        app = build_app(desk, settings, refused.append)
        async with alive(app):
            await until(lambda: ready(app))
            made = Taking(app, sidecar)
            driver = app._running.driver
            assert driver is not None
            submit = driver.submit

            async def noted(deliveries: Sequence[Delivery]) -> list[bool]:
                made.submitted += deliveries
                done: list[bool] = await submit(deliveries)
                return done

            driver.submit = noted  # type: ignore[method-assign] # still the driver, only overheard
            yield made
    assert not refused


async def test_a_delivery_says_by_which_topic_it_came(taking: Taking) -> None:
    """In a batch, alone, and out of the sidecar's own dead letters; the engine judges what may come from where."""
    put = event(Put(box="b", amount=1), "put")
    assert await taking.bulk("street", put) == ["SUCCESS"]
    assert await taking.single("street", put) == "SUCCESS"
    assert await taking.single("desk-undelivered", put, "/undelivered") == "SUCCESS"
    assert [one.topic for one in taking.submitted if one.raw] == ["street", "street", "desk-undelivered"]
