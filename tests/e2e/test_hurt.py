"""Orders come in all the time while the cluster is disturbed; then every record is audited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.e2e.checkout import SERVICES, Checkout, until
from tests.e2e.customers import Stream, broken, ordering

SOON_AFTER = 1.0
"""Seconds between two pods or two sidecars that are ended: less than one takes to come back."""


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[AsyncExitStack]:
    """The resources that are closed when the customers stop."""
    async with AsyncExitStack() as one:
        yield one


@pytest.fixture(scope="module")
async def stream(checkout: Checkout, stack: AsyncExitStack) -> Stream:
    """Customers, from before the first disturbance until after the last."""
    return await stack.enter_async_context(ordering(checkout))


async def container_of(checkout: Checkout, app: str, container: str) -> dict[str, Any]:
    """Return the kubelet's status of a container of an app's only pod."""
    (pod,) = await checkout.pods(app)
    (found,) = [one for one in pod["status"]["containerStatuses"] if one["name"] == container]
    return dict(found)


async def rolled_out(checkout: Checkout) -> None:
    """Wait until every service has the pods that it should have, and no others."""
    await asyncio.gather(
        *(checkout.kubectl("rollout", "status", f"deployment/{one}", "--timeout", "300s") for one in SERVICES)
    )


async def scaled(checkout: Checkout, replicas: int) -> None:
    """Scale every service and wait until that many pods are ready, and no other is left."""
    await checkout.kubectl("scale", *(f"deployment/{one}" for one in SERVICES), "--replicas", str(replicas))
    await rolled_out(checkout)


async def test_orders_end_while_every_service_is_scaled_from_one_to_three_and_back(
    checkout: Checkout, stream: Stream
) -> None:
    """New pods take over work, and ending pods leave theirs to others."""
    await stream.goes_on()
    await scaled(checkout, 3)
    await stream.goes_on()
    await scaled(checkout, 1)
    await stream.goes_on()


async def test_orders_end_while_every_pod_is_exchanged_by_an_upgrade(checkout: Checkout, stream: Stream) -> None:
    """A rolling upgrade of all services at once."""
    before = {pod["metadata"]["uid"] for service in SERVICES for pod in await checkout.pods(service)}
    await checkout.install("defaults.env.CHOREOGRAPHY_LOG=warning")
    await stream.goes_on()
    after = {pod["metadata"]["uid"] for service in SERVICES for pod in await checkout.pods(service)}
    assert not before & after


async def test_orders_end_after_pods_of_services_were_deleted_without_a_chance_to_tidy_up(
    checkout: Checkout, stream: Stream
) -> None:
    """Every service, one soon after the other, so that many are away at the same time."""
    for service in SERVICES:
        await checkout.kubectl(
            *["delete", "pod", "--selector", f"app.kubernetes.io/name={service}", "--grace-period=0", "--force"]
        )
        await asyncio.sleep(SOON_AFTER)
    await rolled_out(checkout)
    await stream.goes_on()


async def test_orders_end_after_the_broker_was_killed_and_after_its_pod_was_deleted(
    checkout: Checkout, stream: Stream
) -> None:
    """The broker crashes in its pod, and then moves to another pod on the same volume."""
    before = await container_of(checkout, "redis", "redis")
    await checkout.cluster.kill_container(before["containerID"])

    async def started_again() -> bool:
        now = await container_of(checkout, "redis", "redis")
        return bool(now["restartCount"] > before["restartCount"] and now["ready"])

    await until(started_again, bool)
    await stream.goes_on()
    # The deletion is not forced: otherwise two servers could share the volume, which no store survives.
    await checkout.kubectl("delete", "pod", "redis-0")
    await checkout.kubectl("rollout", "status", "statefulset/redis", "--timeout", "180s")
    await stream.goes_on()


async def test_orders_end_after_every_sidecar_was_killed(checkout: Checkout, stream: Stream) -> None:
    """The kubelet starts each again beside a service that went on."""
    before = {service: await container_of(checkout, service, "daprd") for service in SERVICES}
    for sidecar in before.values():
        await checkout.cluster.kill_container(sidecar["containerID"])
        await asyncio.sleep(SOON_AFTER)

    async def started_again() -> bool:
        now = {service: await container_of(checkout, service, "daprd") for service in SERVICES}
        return all(now[one]["restartCount"] > before[one]["restartCount"] and now[one]["ready"] for one in SERVICES)

    await until(started_again, bool)
    await stream.goes_on()


async def test_after_all_of_that_no_order_is_lost_doubled_or_unfinished(stack: AsyncExitStack, stream: Stream) -> None:
    """The auditor of the fault suite reads store, broker and ledger, and replays every entity."""
    findings = await stream.audited()
    await stack.aclose()
    await asyncio.sleep(0)
    assert not broken(findings), "\n".join(broken(findings))
    assert len(stream.customers.orders) > 300
    looked_at = {finding.rule: finding.looked_at for finding in findings}
    for rule in ("Every accepted order is known", "What is recorded was published", "Completed orders are paid"):
        assert looked_at[rule] > 100, rule
