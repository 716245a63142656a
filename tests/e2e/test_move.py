"""The running flow moves to another broker, step by step as docs/swap-the-broker.md says."""

from __future__ import annotations

import asyncio
import uuid

from rich.console import Console

from apps.checkout.rehearsal import rehearse
from tests.e2e.checkout import CHART, NAMESPACE, OUTSIDE, RELEASE, Checkout, until

UNDER_WAY = 20
EVERYWHERE = 30.0
"""Seconds within which the last replica of before has stopped being asked: it answers until it has ended."""


async def upgraded(checkout: Checkout, *words: str) -> None:
    """Change one thing about the release; with a closed intake this succeeds only once nothing is under way."""
    await checkout.cluster.helm(
        *["upgrade", RELEASE, CHART, "--namespace", NAMESPACE, "--reset-then-reuse-values"],
        *["--wait", "--timeout", "10m", *words],
    )


async def test_the_running_flow_moves_from_redis_to_nats_and_loses_nothing(checkout: Checkout) -> None:
    """It is closed, drained, moved and opened; then Redis is gone, and every old order is unchanged."""
    await checkout.cluster.kubectl("apply", "--kustomize", "k8s/overlays/nats")
    await checkout.kubectl("rollout", "status", "statefulset/nats", "--timeout", "180s")
    orders = await asyncio.gather(*(checkout.order() for _ in range(UNDER_WAY)))

    await upgraded(checkout, "--set", "intake=closed")
    refused = {"customer_id": "customer-1", "currency": "EUR", "lines": [{"sku": "s", "quantity": 1, "unit_price": 5}]}
    key = await until(lambda: refusal(checkout, refused), bool, EVERYWHERE)
    for order in orders:
        await checkout.ended(order, "completed")

    await upgraded(checkout, "--values", f"{CHART}/values/nats.yaml")
    await checkout.kubectl("delete", "statefulset", "redis")
    await upgraded(checkout, "--set", "intake=open")

    await until(lambda: placed(checkout, refused, key), lambda status: status == 202, EVERYWHERE)
    for order in orders:
        _, told = await checkout.get("order", f"/orders/{order}")
        assert told["status"] == "completed"
        _, ledger = await checkout.get(OUTSIDE, f"/ledger/{order}")
        assert (len(ledger["charges"]), len(ledger["refunds"])) == (1, 0)
    console = Console(record=True, quiet=True, width=120)
    assert await rehearse(checkout, 60, console), console.export_text()


async def refusal(checkout: Checkout, body: object) -> str:
    """Send orders under new keys until the closed intake refuses one; return its key."""
    key = uuid.uuid4().hex
    return key if await placed(checkout, body, key) == 503 else ""


async def placed(checkout: Checkout, body: object, key: str) -> int:
    """Send an order and return the status of the answer."""
    url = f"{checkout.address('order')}/orders"
    async with checkout.session.post(url, json=body, headers={"Idempotency-Key": key}) as answer:
        return answer.status
