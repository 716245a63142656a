"""Orders come in all the while; the cluster is disturbed as clusters are, and then every book is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.e2e.checkout import SERVICES, Checkout, until
from tests.e2e.customers import Stream, broken, ordering


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[AsyncExitStack]:
    """What ends when the customers are told to go home."""
    async with AsyncExitStack() as one:
        yield one


@pytest.fixture(scope="module")
async def stream(checkout: Checkout, stack: AsyncExitStack) -> Stream:
    """Customers, from before the first disturbance until after the last."""
    return await stack.enter_async_context(ordering(checkout))


async def scaled(checkout: Checkout, replicas: int) -> None:
    """Scale every service and wait until that many pods are ready, and no other is left."""
    for service in SERVICES:
        await checkout.kubectl("scale", f"deployment/{service}", "--replicas", str(replicas))
    for service in SERVICES:
        await checkout.kubectl("rollout", "status", f"deployment/{service}", "--timeout", "300s")


async def test_orders_end_while_every_service_is_scaled_from_one_to_three_and_back(
    checkout: Checkout, stream: Stream
) -> None:
    """Pods that come take over work, and those that go leave theirs to others."""
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
    """Every service, one after the other."""
    for service in SERVICES:
        await checkout.kubectl(
            *["delete", "pod", "--selector", f"app.kubernetes.io/name={service}", "--grace-period=0", "--force"]
        )
        await checkout.kubectl("rollout", "status", f"deployment/{service}", "--timeout", "180s")
    await stream.goes_on()


async def test_orders_end_after_the_broker_was_killed(checkout: Checkout, stream: Stream) -> None:
    """Its pod is gone at once and another takes over its volume."""
    await checkout.kubectl("delete", "pod", "redis-0", "--grace-period=0", "--force")
    await checkout.kubectl("rollout", "status", "statefulset/redis", "--timeout", "180s")
    await stream.goes_on()


async def test_orders_end_after_every_sidecar_was_killed(checkout: Checkout, stream: Stream) -> None:
    """The kubelet starts each again beside a service that went on."""
    for service in SERVICES:
        (pod,) = await checkout.pods(service)
        name = pod["metadata"]["name"]
        (sidecar,) = [one for one in pod["status"]["containerStatuses"] if one["name"] == "daprd"]
        await checkout.cluster.kill_container(sidecar["containerID"])

        async def restarts(name: str = name) -> int:
            return int(
                await checkout.kubectl(
                    *["get", "pod", name, "--output"],
                    'jsonpath={.status.containerStatuses[?(@.name=="daprd")].restartCount}',
                )
            )

        await until(restarts, lambda number, before=sidecar["restartCount"]: number > before)  # type: ignore[misc]
        await checkout.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout", "180s")
    await stream.goes_on()


async def test_after_all_of_that_no_order_is_lost_doubled_or_unfinished(stack: AsyncExitStack, stream: Stream) -> None:
    """The auditor of the fault suite reads store, broker and ledger, and replays every entity."""
    findings = await stream.audited()
    await stack.aclose()
    await asyncio.sleep(0)
    assert broken(findings) == []
    assert len(stream.customers.orders) > 300
    looked_at = {finding.rule: finding.looked_at for finding in findings}
    for rule in ("Every accepted order is known", "What is recorded was published", "Completed orders are paid"):
        assert looked_at[rule] > 100, rule
