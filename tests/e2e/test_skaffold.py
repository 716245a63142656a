"""One command from sources to a running flow."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from lab import Cluster
from tests.e2e.checkout import NAMESPACE, RELEASE, Checkout

HERE = ("--profile", "dapr-installed,host-network")


@pytest.fixture
async def ran(cluster: Cluster) -> AsyncIterator[Cluster]:
    """Let Skaffold build and deploy, and delete everything at the end."""
    await cluster.skaffold("run", *HERE)
    yield cluster
    await cluster.skaffold("delete", *HERE)


async def test_skaffold_builds_and_deploys_a_flow_that_works(ran: Cluster) -> None:
    """Skaffold deploys servers, image and chart; then the chart's own test sees two orders end."""
    async with Checkout(ran) as checkout:
        images = {
            container["image"]
            for pod in await checkout.pods("order")
            for container in pod["spec"]["containers"]
            if container["name"] == "app"
        }
    assert all(re.search(r"choreography:.+", image) for image in images)
    assert "choreography:0.1.0" not in images, "it runs what was loaded for the other tests, not what Skaffold built"
    said = await ran.helm("test", RELEASE, "--namespace", NAMESPACE, "--timeout", "4m")
    assert re.search(r"Phase:\s+Succeeded", said)
