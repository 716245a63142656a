"""What a cluster is told about a flow: who may talk to whom, how many replicas, and when to call somebody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.checkout.billing import billing
from choreography.engine.fate import Fate
from choreography.flow import services_of
from choreography.render import render
from choreography.render.alerts import alert_rules
from choreography.render.autoscalers import scaled_objects
from choreography.render.brokers import BROKERS
from choreography.render.network_policies import policies
from choreography.telemetry import Metrics
from choreography.topics import Naming

FLOW = "apps.checkout"
SERVICES = services_of(FLOW)
POLICIES: dict[str, Any] = {
    policy["metadata"]["name"]: policy["spec"] for _, policy in policies("checkout", SERVICES, BROKERS["redis"])
}
PART = "app.kubernetes.io/part-of"
NAME = "app.kubernetes.io/name"
NODE_DNS = "169.254.20.10/32"


def callees(service: str) -> list[str]:
    """Return the pods, by name or component, the namespaces and the addresses a service may call."""
    called = []
    for rule in POLICIES[service]["egress"]:
        for peer in rule["to"]:
            how = next(iter(peer.values()))
            called += [value for label, value in how.get("matchLabels", how).items() if label != PART]
    return called


def test_every_rendered_manifest_can_be_read() -> None:
    """With a kind and a name each, and no two alike in one file."""
    for path, text in render(FLOW).items():
        if "k8s" in path.parts:
            named = [(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(text)]
            assert len(named) == len(set(named)) > 0


def test_what_is_not_allowed_is_refused() -> None:
    """For every pod of the flow, in both directions."""
    assert POLICIES["checkout-default-deny"] == {
        "podSelector": {"matchLabels": {PART: "checkout"}},
        "policyTypes": ["Ingress", "Egress"],
    }


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
def test_a_service_reaches_what_it_needs_and_no_other_service(service: Any) -> None:
    """Services hear of each other only through the broker."""
    called = callees(service.name)
    assert called[:6] == ["kube-system", NODE_DNS, "dapr-system", "broker", "store", "zipkin"]
    assert called[6:] == (["payment-provider"] if service is billing else [])


def test_only_billing_reaches_the_payment_provider() -> None:
    """The policy of the provider says the same from its side."""
    (rule,) = POLICIES["payment-provider"]["ingress"]
    assert [peer["podSelector"]["matchLabels"][NAME] for peer in rule["from"]] == ["billing"]


def test_only_a_service_that_answers_requests_is_reached_from_the_edge() -> None:
    """Its sidecar delivers over loopback, which no policy sees."""
    edges = {
        service.name
        for service in SERVICES
        if any("edge" in str(peer) for rule in POLICIES[service.name]["ingress"] for peer in rule["from"])
    }
    assert edges == {service.name for service in SERVICES if service.commands or service.views}


@pytest.mark.parametrize("broker", [name for name, broker in BROKERS.items() if not broker.elsewhere])
def test_each_broker_is_reached_on_its_own_port(broker: str) -> None:
    """No other port of it is open to anybody."""
    rendered = {policy["metadata"]["name"]: policy["spec"] for _, policy in policies("f", SERVICES, BROKERS[broker])}
    assert [one["port"] for one in rendered["f-broker"]["ingress"][0]["ports"]] == [BROKERS[broker].port]


@pytest.mark.parametrize("broker", [name for name, broker in BROKERS.items() if broker.elsewhere])
def test_a_broker_outside_of_the_cluster_is_reached_by_its_port_only(broker: str) -> None:
    """It has no pod that a policy could select, and no address that one could name; its credentials have one."""
    rendered = {policy["metadata"]["name"]: policy["spec"] for _, policy in policies("f", SERVICES, BROKERS[broker])}
    assert "f-broker" not in rendered
    opened = {
        peer["ipBlock"]["cidr"]: {one["port"] for one in rule["ports"]}
        for rule in rendered["order"]["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer
    }
    assert opened == {NODE_DNS: {53}, "0.0.0.0/0": {443}, "169.254.170.23/32": {80}}


@pytest.mark.parametrize("broker", BROKERS)
def test_each_service_is_scaled_by_what_waits_for_it(broker: str) -> None:
    """Every topic it hears counts, its own intents included; there is always one replica."""
    rendered = [document for _, document in scaled_objects("checkout", SERVICES, broker, Naming("checkout"))]
    known = [one["metadata"]["name"] for one in rendered if one["kind"] == "TriggerAuthentication"]
    scaled = [one for one in rendered if one["kind"] == "ScaledObject"]
    assert [one["spec"]["scaleTargetRef"]["name"] for one in scaled] == [service.name for service in SERVICES]
    of_billing = next(one["spec"] for one in scaled if one["metadata"]["name"] == "billing")
    assert of_billing["minReplicaCount"] == 1
    assert len(of_billing["triggers"]) == (len(billing.hears) + 1 if BROKERS[broker].per_topic else 1)
    for trigger in of_billing["triggers"]:
        # KEDA takes the servers of Kafka from the environment of a container, and from no Secret.
        found = [trigger["metadata"].get("bootstrapServersFromEnv"), trigger.get("authenticationRef", {}).get("name")]
        assert found == ["KAFKA_BROKERS", None] if broker == "kafka" else [None, *known]
        assert ("envSourceContainerName" in of_billing["scaleTargetRef"]) is (broker == "kafka")
        assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_redis_is_measured_by_what_was_not_yet_read() -> None:
    """A sidecar holds two batches, so what is pending never exceeds that."""
    (_, document) = next(
        one
        for one in scaled_objects("checkout", [billing], "redis", Naming("checkout"))
        if one[1]["kind"] == "ScaledObject"
    )
    assert document["spec"]["triggers"][0] == {
        "type": "redis-streams",
        "metadata": {"stream": "checkout.order.cancelled", "consumerGroup": "billing", "lagCount": "200"},
        "authenticationRef": {"name": "checkout-broker"},
    }


def rules() -> list[dict[str, Any]]:
    """Return every alert."""
    return [rule for group in alert_rules("checkout", SERVICES)["spec"]["groups"] for rule in group["rules"]]


def test_every_metric_an_alert_looks_at_is_counted() -> None:
    """An alert on a misspelt metric never fires."""
    metrics = Metrics("order")
    metrics.unanswered_by("an outside")
    counted = {sample.name for metric in metrics.registry.collect() for sample in metric.samples}
    looked_at = {name for rule in rules() for name in re.findall(r"choreography_\w+", rule["expr"])}
    assert looked_at <= counted
    assert {"choreography_quarantined_total", "choreography_retries_total"} <= looked_at


def test_deliveries_that_end_in_no_way_that_is_counted_call_somebody() -> None:
    """The law of decision 0018, with every way in which a delivery may end."""
    [rule] = [rule for rule in rules() if rule["alert"] == "ChoreographyUnaccounted"]
    [ends] = re.findall(r"choreography_\(([\w|]+)\)_total", rule["expr"])
    counted = {sample.name for metric in Metrics("order").registry.collect() for sample in metric.samples}
    assert {f"choreography_{end}_total" for end in ends.split("|")} <= counted
    assert len(ends.split("|")) == len(Fate)


def test_every_count_of_trouble_is_looked_at_by_an_alert() -> None:
    """What a service counts because it should not happen calls somebody when it does."""
    metrics = Metrics("order")
    metrics.unanswered_by("an outside")
    counted = {sample.name for metric in metrics.registry.collect() for sample in metric.samples}
    ordinary = {f"choreography_{name}_total" for name in ("deliveries", "settled", "commands", "published")}
    looked_at = {name for rule in rules() for name in re.findall(r"choreography_\w+", rule["expr"])}
    assert {name for name in counted if name.endswith("_total")} - ordinary <= looked_at


def test_every_alert_is_in_the_table_of_who_is_called() -> None:
    """Whoever is called looks it up there."""
    table = (Path(__file__).parents[3] / "docs/production.md").read_text()
    assert [rule["alert"] for rule in rules() if rule["alert"] not in table] == []


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    """Whoever is woken up reads one thing only."""
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].endswith(".")
        assert len(rule["annotations"]["runbook"]) > 80


def test_no_service_can_fall_silent_unnoticed() -> None:
    """One that reports nothing, and one that accepts commands and hears nothing."""
    named = [(rule["alert"], rule["labels"].get("service")) for rule in rules()]
    for service in SERVICES:
        assert ("ChoreographyAbsent", service.name) in named
        assert (("ChoreographyDeaf", service.name) in named) is bool(service.commands)


def test_parentheses_and_quotes_of_every_expression_match() -> None:
    """Prometheus would refuse the whole file."""
    for rule in rules():
        for opening, closing in ("()", "{}", "[]"):
            assert rule["expr"].count(opening) == rule["expr"].count(closing)
        assert rule["expr"].count('"') % 2 == 0
