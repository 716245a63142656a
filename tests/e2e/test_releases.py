"""A release is rolled out while orders come in, and taken back: first in the order in which it should be, then not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.checkout import Checkout, until
from tests.integration.next_release import PACKAGE, write_next_release

pytestmark = pytest.mark.deep

FILES = "checkout-next"
SAYING, HEARING = "order", "notification"
MORE = 8


@pytest.fixture
async def next_release(checkout: Checkout, tmp_path: Path) -> AsyncIterator[str]:
    """The files of the next release, where pods can import them."""
    files = {file.name: file.read_text() for file in write_next_release(tmp_path).glob("*.py")}
    described = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": FILES}, "data": files}
    await checkout.kubectl("apply", "--filename", "-", given=json.dumps(described))
    yield PACKAGE
    await checkout.kubectl("delete", "configmap", FILES)


async def roll_out(checkout: Checkout, service: str, package: str) -> None:
    """Let a service run another release, as an upgrade with another image would."""
    container = {
        "name": "app",
        "command": ["choreography", "serve", f"{package}.{service}"],
        "env": [{"name": "PYTHONPATH", "value": "/next"}],
        "volumeMounts": [{"name": "next", "mountPath": f"/next/{PACKAGE}", "readOnly": True}],
    }
    pod = {"volumes": [{"name": "next", "configMap": {"name": FILES}}], "containers": [container]}
    patch = json.dumps({"spec": {"template": {"spec": pod}}})
    await checkout.kubectl("patch", f"deployment/{service}", "--type", "strategic", "--patch", patch)
    await until_rolled_out(checkout, service)


async def take_back(checkout: Checkout, service: str) -> None:
    """Let a service run the release of before, as somebody does who is in a hurry."""
    await checkout.kubectl("rollout", "undo", f"deployment/{service}")
    await until_rolled_out(checkout, service)


async def until_rolled_out(checkout: Checkout, service: str) -> None:
    """Wait until only pods of the wanted release are left."""
    await checkout.kubectl("rollout", "status", f"deployment/{service}", "--timeout", "300s")


@asynccontextmanager
async def customers(checkout: Checkout, orders: list[str]) -> AsyncIterator[None]:
    """Order all the while."""

    async def order() -> None:
        while True:
            orders.append(await checkout.order())
            await asyncio.sleep(0.5)

    ordering = asyncio.create_task(order())
    try:
        yield
    finally:
        ordering.cancel()
        await asyncio.gather(ordering, return_exceptions=True)


async def goes_on(orders: list[str]) -> None:
    """Wait until some more orders were accepted."""
    wanted = len(orders) + MORE

    async def number() -> int:
        return len(orders)

    await until(number, lambda found: found >= wanted)


async def all_told(checkout: Checkout, orders: list[str]) -> None:
    """Every order is completed, and its customer knows: also what was set aside meanwhile."""
    for order in orders:
        await checkout.ended(order, "completed")
        notice = f"/notices/{order}"
        await until(
            lambda notice=notice: checkout.get(HEARING, notice),  # type: ignore[misc]
            lambda told: told[0] == 200 and told[1]["told"] == "completed",
        )


@pytest.mark.parametrize("order", [(HEARING, SAYING), (SAYING, HEARING)])
async def test_orders_end_while_a_release_is_rolled_out_and_taken_back(
    checkout: Checkout, next_release: str, order: tuple[str, str]
) -> None:
    """Rule 31: what hears the new version first is right; the other order costs time and loses nothing."""
    orders: list[str] = []
    async with customers(checkout, orders):
        for service in order:
            await goes_on(orders)
            await roll_out(checkout, service, next_release)
        await goes_on(orders)
        await all_told(checkout, list(orders))
        await take_back(checkout, SAYING)
        await goes_on(orders)
        # What was said by the second version is settled before nobody hears it any more.
        await all_told(checkout, list(orders))
        await take_back(checkout, HEARING)
        await goes_on(orders)
    await all_told(checkout, orders)
    marked = [one for one in orders if (await checkout.get(SAYING, f"/orders/{one}"))[1].get("marks")]
    assert marked, "no order was begun by the next release"
