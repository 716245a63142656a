"""Uninstalling the flow leaves nothing in its namespace."""

from __future__ import annotations

import asyncio
import json

from tests.e2e.checkout import NAMESPACE, RELEASE, Checkout, until

_OF_THE_CLUSTER = {"events", "events.events.k8s.io", "pods", "endpoints", "endpointslices.discovery.k8s.io"}
"""These come and go with others."""


async def test_an_uninstalled_flow_leaves_nothing_in_its_namespace(checkout: Checkout) -> None:
    """Only objects from before the installation remain: no secret, no job, no policy, no pod."""
    assert await left_by_the_flow(checkout), "the flow is installed, so there must be something to look for"
    await checkout.cluster.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout", "3m")
    await until(lambda: left_by_the_flow(checkout), lambda left: not left, within=60)


async def left_by_the_flow(checkout: Checkout) -> list[str]:
    """Everything in the namespace that is new and does not belong to the servers beside the flow."""
    kinds = (await checkout.kubectl("api-resources", "--verbs=list", "--namespaced", "--output", "name")).split()
    found = await asyncio.gather(*(everything(checkout, kind) for kind in kinds if kind not in _OF_THE_CLUSTER))
    pods = [f"pods/{pod}" for pod in await everything_with(checkout, "pods", "app.kubernetes.io/part-of=checkout")]
    return sorted({one for some in found for one in some} - checkout.before) + pods


async def everything(checkout: Checkout, kind: str) -> list[str]:
    """All objects of a kind but those of the servers."""
    selector = "app.kubernetes.io/part-of!=choreography-dependencies"
    return [f"{kind}/{name}" for name in await everything_with(checkout, kind, selector)]


async def everything_with(checkout: Checkout, kind: str, selector: str) -> list[str]:
    """The names of all objects of a kind with these labels."""
    told = json.loads(await checkout.kubectl("get", kind, "--selector", selector, "--output", "json"))
    return [str(item["metadata"]["name"]) for item in told["items"]]
