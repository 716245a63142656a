"""KEDA scales each service by the number of events that wait for it on the broker."""

from __future__ import annotations

from typing import Any

import pytest

from apps.checkout.billing import billing
from choreography.flow import services_of
from choreography.render.brokers import BROKERS
from tests.unit.helm.placing import Rendered, of_kind, setting
from tests.unit.helm.test_templates import on

pytestmark = pytest.mark.helm

SERVICES = services_of("apps.checkout")


def scaled(broker: str) -> Rendered:
    """Place the chart with every service scaled by the events that wait for it."""
    return on(broker, *setting(defaults__autoscaling__mode="lag"))


@pytest.mark.parametrize("broker", BROKERS)
def test_each_service_is_scaled_by_what_waits_for_it(broker: str) -> None:
    """Every topic that it consumes counts, its own intents included; there is always one replica."""
    rendered = scaled(broker)
    known = list(of_kind(rendered, "TriggerAuthentication"))
    objects: dict[str, Any] = {name: one["spec"] for name, one in of_kind(rendered, "ScaledObject").items()}
    assert {one["scaleTargetRef"]["name"] for one in objects.values()} == {service.name for service in SERVICES}
    of_billing = objects["billing"]
    assert of_billing["minReplicaCount"] == 1
    assert len(of_billing["triggers"]) == (len(billing.hears) + 1 if BROKERS[broker].per_topic else 1)
    for trigger in of_billing["triggers"]:
        # KEDA takes the servers of Kafka from the environment of a container, and from no Secret.
        found = [trigger["metadata"].get("bootstrapServersFromEnv"), trigger.get("authenticationRef", {}).get("name")]
        assert found == ["KAFKA_BROKERS", None] if broker == "kafka" else [None, *known]
        assert ("envSourceContainerName" in of_billing["scaleTargetRef"]) is (broker == "kafka")
        assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_redis_is_measured_by_what_was_not_yet_read() -> None:
    """A sidecar holds two batches, so the pending count never exceeds that."""
    assert of_kind(scaled("redis"), "ScaledObject")["billing"]["spec"]["triggers"][0] == {
        "type": "redis-streams",
        "metadata": {"stream": "checkout.order.cancelled", "consumerGroup": "billing", "lagCount": "200"},
        "authenticationRef": {"name": "checkout-broker"},
    }
