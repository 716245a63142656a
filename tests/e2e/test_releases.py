"""A release is rolled out while orders are under way, and rolled back, in the right order and the wrong one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis.asyncio

from choreography.topics import TopicNaming, dead_letters, prefix_of
from tests.e2e.checkout import OUTSIDE, SERVICES, Checkout, until
from tests.e2e.shoppers import shopping
from tests.integration.next_release import PACKAGE, write_next_release

FILES = "checkout-next"
SAYING, HEARING, JOINING = "order", "notification", "shipping"
OVERDUE = "30s"
"""When an order that the next release has accepted asks to be cancelled: after it was taken back, and soon enough."""


@pytest.fixture
async def next_release(checkout: Checkout, tmp_path: Path) -> AsyncIterator[None]:
    """The files of the next release, where pods can import them."""
    files = {file.name: file.read_text() for file in write_next_release(tmp_path).glob("*.py")}
    described = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": FILES}, "data": files}
    await checkout.kubectl("apply", "--filename", "-", given=json.dumps(described))
    yield
    await checkout.kubectl("delete", "configmap", FILES)


async def roll_out(checkout: Checkout, *services: str) -> None:
    """Let services run the next release, as an upgrade with another image would."""
    for service in services:
        container = {
            "name": "app",
            "command": ["choreography", "serve", f"{PACKAGE}.{service}"],
            "env": [
                {"name": "PYTHONPATH", "value": "/next:/app"},
                {"name": "CHOREOGRAPHY_DEADLINES", "value": f"overdue={OVERDUE}"},
            ],
            "volumeMounts": [{"name": "next", "mountPath": f"/next/{PACKAGE}", "readOnly": True}],
        }
        pod = {"volumes": [{"name": "next", "configMap": {"name": FILES}}], "containers": [container]}
        patch = json.dumps({"spec": {"template": {"spec": pod}}})
        await checkout.kubectl("patch", f"deployment/{service}", "--type", "strategic", "--patch", patch)
    await rolled_out(checkout, services)


async def take_back(checkout: Checkout, *services: str) -> None:
    """Let services run the old release again, as somebody in a hurry does."""
    for service in services:
        await checkout.kubectl("rollout", "undo", f"deployment/{service}")
    await rolled_out(checkout, services)


async def rolled_out(checkout: Checkout, services: tuple[str, ...]) -> None:
    """Wait until only pods of the wanted release are left."""
    for service in services:
        await checkout.kubectl("rollout", "status", f"deployment/{service}", "--timeout", "300s")


@asynccontextmanager
async def provider_away(checkout: Checkout) -> AsyncIterator[None]:
    """Take the provider down, so that orders stay open while a release is exchanged."""
    await _switch(checkout, down=True)
    yield
    await _switch(checkout, down=False)


async def _switch(checkout: Checkout, *, down: bool) -> None:
    async with checkout.session.put(f"{checkout.address(OUTSIDE)}/faults", json={"down": down}) as answer:
        assert answer.status == 200, await answer.text()


class Letters:
    """Why services quarantine events, since this was made."""

    def __init__(self, broker: redis.asyncio.Redis) -> None:
        self._broker = broker
        self._before: dict[str, int] = {}

    async def all(self) -> dict[str, list[str]]:
        """The reasons, by service."""
        topic = TopicNaming(prefix_of("apps.checkout")).on_broker
        found = {}
        for service in SERVICES:
            entries: Any = await self._broker.xrange(topic(dead_letters(service)))
            reasons = [str(json.loads(fields[b"data"])["data"]["reason"]) for _, fields in entries]
            found[service] = reasons[self._before.setdefault(service, len(reasons)) :]
        return found

    async def of(self, service: str) -> list[str]:
        """The reasons of one service."""
        return (await self.all())[service]


@pytest.fixture
async def letters(checkout: Checkout) -> AsyncIterator[Letters]:
    """The topics to which services write when they quarantine something."""
    at = urlsplit(checkout.address("redis"))
    async with redis.asyncio.Redis(host=at.hostname or "", port=at.port or 0) as broker:
        found = Letters(broker)
        await found.all()
        yield found


@pytest.mark.usefixtures("next_release")
async def test_a_release_is_rolled_out_and_taken_back_in_both_orders_and_no_order_notices(
    checkout: Checkout, letters: Letters
) -> None:
    """Rule 31: consumers of the new version go first; the other order takes longer and loses nothing."""
    async with shopping(checkout) as shoppers:
        # The publisher of the second version goes first. Its renamed join fires with slots that the older release
        # filled.
        async with provider_away(checkout):
            await shoppers.go_on()
            await roll_out(checkout, SAYING, JOINING)
        await until(lambda: letters.of(HEARING), lambda reasons: len(reasons) > 2)
        await roll_out(checkout, HEARING)
        await shoppers.go_on()
        await shoppers.all_settled()

        # Roll back, again in the wrong order. The older release gets the newer one's deadline, and keeps its mark.
        await take_back(checkout, HEARING)
        async with provider_away(checkout):
            overdue = [await shoppers.place() for _ in range(3)]
            await take_back(checkout, SAYING, JOINING)
            await roll_out(checkout, HEARING)
            for order in overdue:
                told = await checkout.ended(order, "cancelled")
                assert (told["reason"], told["marks"]) == ("not completed in time", 1)
        await shoppers.all_settled()

        # The consumer of the second version is deployed first; roll back once its events are settled.
        await roll_out(checkout, SAYING)
        await shoppers.go_on()
        await take_back(checkout, SAYING)
        await shoppers.go_on()
        await shoppers.all_settled()
        await take_back(checkout, HEARING)
        await shoppers.go_on()
    await shoppers.all_settled()
    await shoppers.shelf_adds_up()
    reasons = await letters.all()
    assert [service for service, some in reasons.items() if some] == [HEARING]
    assert all("Not yet: notification knows order.completed.v1" in reason for reason in reasons[HEARING])
