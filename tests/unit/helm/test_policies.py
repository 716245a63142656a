"""Network policies allow only the connections that the declarations need; only the chart makes them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from apps.checkout.billing import billing
from choreography.flow import services_of
from choreography.render.brokers import BROKERS
from tests.unit.helm.placing import of_kind, place, setting
from tests.unit.helm.test_templates import on

pytestmark = pytest.mark.helm

SERVICES = services_of("apps.checkout")
NAMES = [service.name for service in SERVICES]
PART = "app.kubernetes.io/part-of"
NAME = "app.kubernetes.io/name"
NODE_DNS = "169.254.20.10/32"
POD_IDENTITY = "169.254.170.23/32"
INSIDE = [name for name, broker in BROKERS.items() if not broker.elsewhere]
ELSEWHERE = [name for name, broker in BROKERS.items() if broker.elsewhere]


@cache
def policies(broker: str = "redis", *words: str) -> dict[str, Any]:
    """Return the contents of each policy, on a broker."""
    return {name: one["spec"] for name, one in of_kind(on(broker, *words), "NetworkPolicy").items()}


def reaches(policy: dict[str, Any]) -> set[str]:
    """Return the destinations that a policy allows its pods, by their one distinguishing label."""
    told = set()
    for rule in policy["spec"]["egress"]:
        for peer in rule["to"]:
            (how,) = peer.values()
            if how.get("cidr") is not None:
                told.add("anywhere" if how["cidr"] == "0.0.0.0/0" else how["cidr"])
                continue
            told |= {value for label, value in how["matchLabels"].items() if label != PART}
    return told


@pytest.mark.parametrize("broker", sorted(BROKERS))
def test_what_is_not_allowed_is_refused(broker: str) -> None:
    """This holds for every pod of the flow, in both directions."""
    assert policies(broker)["checkout-default-deny"] == {
        "podSelector": {"matchLabels": {PART: "checkout"}},
        "policyTypes": ["Ingress", "Egress"],
    }


@pytest.mark.parametrize("broker", sorted(BROKERS))
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
def test_a_service_reaches_what_it_needs_and_no_other_service(service: Any, broker: str) -> None:
    """Services communicate only through the broker."""
    at = {"anywhere", POD_IDENTITY} if BROKERS[broker].elsewhere else {"broker"}
    calls = {"payment-provider"} if service is billing else set()
    spec = policies(broker)[service.name]
    assert reaches({"spec": spec}) == {"kube-system", NODE_DNS, "dapr-system", "store", "traces", *at, *calls}


def test_only_billing_reaches_the_payment_provider() -> None:
    """The provider's own policy says the same, and opens one port."""
    (rule,) = policies("redis", *setting(test__enabled=False))["payment-provider"]["ingress"]
    assert [peer["podSelector"]["matchLabels"][NAME] for peer in rule["from"]] == ["billing"]
    assert [port["port"] for port in rule["ports"]] == [8090]


def test_only_services_that_take_requests_are_open_to_people() -> None:
    """Deliveries come over loopback, which no policy sees."""
    placed = of_kind(place(), "NetworkPolicy")
    edge = {"namespaceSelector": {"matchLabels": {"app.kubernetes.io/component": "edge"}}}
    opened = {name for name in NAMES if any(edge in rule["from"] for rule in placed[name]["spec"]["ingress"])}
    assert opened == {service.name for service in SERVICES if service.commands or service.views}


@pytest.mark.parametrize("broker", INSIDE)
def test_each_broker_is_reached_on_its_own_port(broker: str) -> None:
    """No other port of the broker is open."""
    rules = [
        rule
        for rule in policies(broker)["order"]["egress"]
        for peer in rule["to"]
        if "broker" in peer.get("podSelector", {}).get("matchLabels", {}).values()
    ]
    assert [one["port"] for rule in rules for one in rule["ports"]] == [BROKERS[broker].port]


@pytest.mark.parametrize("broker", ELSEWHERE)
def test_a_broker_outside_of_the_cluster_is_reached_by_its_port_only(broker: str) -> None:
    """It has no pod to select and no address to name; its Secret holds the address."""
    opened = {
        peer["ipBlock"]["cidr"]: {one["port"] for one in rule["ports"]}
        for rule in policies(broker)["order"]["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer
    }
    assert opened == {NODE_DNS: {53}, "0.0.0.0/0": {443}, POD_IDENTITY: {80}}


def test_whoever_drains_is_let_in_only_while_a_job_drains() -> None:
    """An unused connection is closed."""
    drain = {"podSelector": {"matchLabels": {PART: "checkout", "app.kubernetes.io/component": "drain"}}}
    for intake in ("open", "closed"):
        placed = policies("redis", *setting(intake=intake))
        assert ("checkout-drain" in placed) is (intake == "closed")
        for name in NAMES:
            peers = [peer for rule in placed[name]["ingress"] for peer in rule["from"]]
            assert (drain in peers) is (intake == "closed")
