"""A user of the broker for each service: the flow works, and a stolen login can publish only its service's events."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest
import redis.asyncio

from choreography.up import RunningFlow
from tests.integration.checkout_client import ON_BROKER, Checkout
from tests.integration.up.thieves import THIEVES, Refused, Thief

QUICK = ("redis", "nats", "nats-pull")
"""Servers that are up in a moment; the others take minutes, so `make deep PARTS=access` asks them."""
BROKERS = tuple(name if name in QUICK else pytest.param(name, marks=pytest.mark.deep) for name in THIEVES)


@pytest.fixture(scope="module", params=BROKERS)
async def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Checkout]:
    """Start the checkout flow on a broker that has a user for each service."""
    flow = RunningFlow(
        "apps/checkout",
        tmp_path_factory.mktemp(f"access-{request.param}"),
        broker=request.param,
        drain=False,
        access=True,
    )
    flow.prepare()
    # No test here reads the broker by Redis' protocol, whichever broker it is.
    async with flow, aiohttp.ClientSession() as session:
        yield Checkout(flow, session, redis.asyncio.Redis())


@pytest.fixture
async def thief(guarded: Checkout) -> AsyncIterator[Thief]:
    """Log in to the broker as inventory, without its sidecar."""
    flow = guarded.flow
    async with THIEVES[flow.broker](flow.broker_at.address, flow.login("inventory")) as thief:
        yield thief


async def test_an_order_completes_where_each_service_has_its_own_user(guarded: Checkout) -> None:
    """The permissions block no service: events are published, delivered, acknowledged; a charge is refunded."""
    sku = f"sku-{uuid.uuid4().hex[:12]}"
    await guarded.stock(sku, 1)
    first = await guarded.place(sku)
    await guarded.ended(first, "completed")
    second = await guarded.place(sku)
    await guarded.ended(second, "cancelled")
    await guarded.until(lambda: guarded.ledger(second), lambda one: one["charged"] == one["refunded"])


async def test_a_stolen_login_publishes_what_its_service_may(thief: Thief) -> None:
    """The login is real: a thief of inventory's password can publish inventory's events."""
    await thief.publish(ON_BROKER("stock.added"), b"{}")


@pytest.mark.parametrize(
    "topic", ["payment.charged", "order.created", "nudges", "billing-intents", "order-undelivered"]
)
async def test_a_stolen_login_publishes_nothing_else(thief: Thief, topic: str) -> None:
    """It publishes no event of another service, no nudge, and no intent."""
    with pytest.raises(Refused):
        await thief.publish(ON_BROKER(topic), b"{}")


@pytest.mark.parametrize("topic", ["payment.charged", "billing-intents"])
async def test_a_stolen_login_reads_only_what_its_service_hears(thief: Thief, topic: str) -> None:
    """Inventory does not consume payments."""
    with pytest.raises(Refused):
        await thief.read(ON_BROKER(topic))
