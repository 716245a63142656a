"""Two releases of the flow side by side on real sidecars, forward and back, with orders under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import redis.asyncio

from choreography.up import RunningFlow
from tests.integration.checkout_client import Checkout
from tests.integration.next_release import PACKAGE, write_next_release

OLD = "apps.checkout"


@pytest.fixture(params=[("sqlite", 1), ("postgres", 2)], ids=["exchanged", "side by side"])
async def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Checkout]:
    """The flow with one or two replicas of the exchanged services, and the next release, importable."""
    store, replicas = request.param
    write_next_release(tmp_path)
    flow = RunningFlow(
        "apps/checkout",
        tmp_path / "run",
        store=store,
        replicas={"order": replicas, "notification": replicas},
        # The package of the next release has another name, and its topics must be those of this one.
        environment={"PYTHONPATH": str(tmp_path), "CHOREOGRAPHY_TOPIC_PREFIX": "checkout"},
        drain=False,
    )
    await asyncio.to_thread(flow.prepare)
    port = flow.redis_port
    async with flow, aiohttp.ClientSession() as session, redis.asyncio.Redis(port=port) as broker:
        yield Checkout(flow, session, broker)


async def exchange(flow: RunningFlow, package: str, *replicas: str) -> None:
    """Let one replica after the other shut down and start as another release; their sidecars go on."""
    for name in replicas:
        process = flow._processes.find(name)
        module = f"{package}.{name.partition('-')[0]}"
        process.program = replace(process.program, command=[*process.program.command[:-1], module])
        await flow.stop(name)
        await flow.start(name)


def replicas_of(flow: RunningFlow, service: str) -> list[str]:
    """Return the replicas of a service."""
    return [name for name in flow._programs.addresses if name in (service, f"{service}-2")]


async def placed(checkout: Checkout, number: int) -> list[str]:
    """Place orders, and wait until each of them is known."""
    orders = [await checkout.place("cup") for _ in range(number)]
    for order in orders:
        await checkout.until(lambda order=order: checkout.order(order), lambda one: one.get("status") == "placed")  # type: ignore[misc]
    return orders


async def all_told(checkout: Checkout, orders: Iterable[str]) -> None:
    """Wait until each order is completed and its customer knows."""
    for order in orders:
        await checkout.ended(order, "completed")
        await checkout.until(
            lambda order=order: checkout.get("notification", f"/notices/{order}"),  # type: ignore[misc]
            lambda answer: answer[1].get("told") == "completed",
            90.0,
        )


async def letters(checkout: Checkout) -> list[str]:
    """Return the reasons for which notification has quarantined events."""
    return [str(letter["reason"]) for letter in await checkout.dead_letters("notification")]


async def test_two_releases_side_by_side_lose_nothing_in_either_order(checkout: Checkout) -> None:
    """Rule 31: fields survive, unknown versions are replayed by the release that knows them, every order ends."""
    flow = checkout.flow
    saying, hearing = (replicas_of(flow, service) for service in ("order", "notification"))
    await checkout.stock("cup", 1000)

    # Roll out with open orders; then roll back, and the older release ends the newer one's orders.
    await flow.stop("billing")
    orders = await placed(checkout, 3)
    await exchange(flow, PACKAGE, *saying[:1])
    orders += await placed(checkout, 6)
    await exchange(flow, PACKAGE, *saying[1:])
    marked = await placed(checkout, 4)
    assert [(await checkout.order(order))["marks"] for order in marked] == [1] * 4
    await exchange(flow, OLD, *saying)
    await flow.start("billing")
    await all_told(checkout, [*orders, *marked])
    assert [(await checkout.order(order)).get("marks") for order in marked] == [1] * 4

    # Roll out again, in the wrong order: the publisher of the second version goes before its consumer.
    await exchange(flow, PACKAGE, *saying)
    orders = [await checkout.place("cup") for _ in range(6)]
    for order in orders:
        await checkout.ended(order, "completed")
    aside = await checkout.until(lambda: letters(checkout), lambda reasons: len(reasons) >= len(orders))
    assert all("Not yet: notification knows order.completed.v1" in reason for reason in aside)
    await exchange(flow, PACKAGE, *hearing[-1:])
    orders += [await checkout.place("cup") for _ in range(6)]
    await all_told(checkout, orders)

    # Roll back once more.
    await exchange(flow, OLD, *hearing[-1:], *saying)
    await all_told(checkout, [await checkout.place("cup") for _ in range(4)])
