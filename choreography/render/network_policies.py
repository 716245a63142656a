"""Who may talk to whom in a cluster: nobody, but for what the declarations need.

Pods are known by the labels Kubernetes recommends: services and outside programs by `app.kubernetes.io/name`, the
broker and the store by `app.kubernetes.io/component`, all of them by `app.kubernetes.io/part-of`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from choreography.render.brokers import BROKERS, Broker
from choreography.render.source import Files, Source, documents
from choreography.service import Service

_STORE_PORT: Final = 5432
_APP_PORT: Final = 8000
_METRICS_PORT: Final = 9090
_TRACES_PORT: Final = 9411

Rule = dict[str, Any]


def network_policy_files(source: Source) -> Files:
    """Render the policies of a flow for each broker."""
    return {
        f"k8s/{file.stem}/network-policies.yaml": documents(policies(source.title, source.services, BROKERS[file.stem]))
        for file in source.brokers
        if file.stem in BROKERS
    }


def policies(flow: str, services: Sequence[Service], broker: Broker) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each policy with the reason for it."""
    everyone = {"app.kubernetes.io/part-of": flow}
    yield (
        "What is not allowed below is refused, in both directions.",
        _policy(f"{flow}-default-deny", everyone, ingress=[], egress=[]),
    )
    for service in services:
        yield from _of(flow, service, broker)
    yield (
        "A pod of `choreography drain` asks the broker what is left, and every replica what it has in hand.",
        _policy(
            f"{flow}-drain",
            everyone | _DRAIN,
            egress=[
                _DNS,
                *_to_broker(flow, broker, *filter(None, [broker.management])),
                {"to": [_pods(flow, **_SERVICE)], **_ports(_APP_PORT)},
            ],
        ),
    )
    yield (
        "A pod of `choreography migrate` makes tables, and speaks to nobody but the database.",
        _policy(f"{flow}-migrate", everyone | _MIGRATE, egress=[_DNS, _to_store(flow)]),
    )
    callers = {
        outside: [service.name for service in services if outside in _outsides(service)]
        for outside in sorted({one for service in services for one in _outsides(service)})
    }
    for outside, names in callers.items():
        yield (
            f"{outside} stands for a company; where it is one, allow its address to {' and '.join(names)} instead.",
            _policy(
                outside,
                {"app.kubernetes.io/name": outside},
                ingress=[{"from": [_pods(flow, **{"app.kubernetes.io/name": name}) for name in names]}],
            ),
        )
    for component, port in _servers(broker):
        yield (
            f"Only services and their jobs reach the {component}. One managed elsewhere has no pod to be selected.",
            _policy(
                f"{flow}-{component}",
                everyone | {"app.kubernetes.io/component": component},
                ingress=_clients(flow, component, port, broker),
            ),
        )


def _of(flow: str, service: Service, broker: Broker) -> Iterator[tuple[str, Mapping[str, Any]]]:
    outsides = _outsides(service)
    told = f"{service.name}: DNS, the Dapr control plane, broker, store and traces"
    told += f"; and {', '.join(outsides)}, which no other service may call." if outsides else ", and nothing else."
    egress: list[Rule] = [
        _DNS,
        # All of its ports: they differ between versions, and nothing else is in that namespace.
        {"to": [_namespace("dapr-system")]},
        *_to_broker(flow, broker),
        _to_store(flow),
        {"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "zipkin"}}}], **_ports(_TRACES_PORT)},
        *({"to": [_pods(flow, **{"app.kubernetes.io/name": outside})]} for outside in outsides),
    ]
    ingress: list[Rule] = [{"from": [_namespace("monitoring")], **_ports(_APP_PORT, _METRICS_PORT)}]
    ingress.append({"from": [_pods(flow, **_DRAIN)], **_ports(_APP_PORT)})
    if service.commands or service.views or service.lists:
        # Its sidecar delivers over loopback, which no policy sees; this is for the requests of people.
        ingress.append({"from": [{"namespaceSelector": {"matchLabels": _EDGE}}], **_ports(_APP_PORT)})
    yield told, _policy(service.name, _labels(flow, service.name), ingress=ingress, egress=egress)


def _to_store(flow: str) -> Rule:
    return {"to": [_pods(flow, **{"app.kubernetes.io/component": "store"})], **_ports(_STORE_PORT)}


def _to_broker(flow: str, broker: Broker, *more: int) -> list[Rule]:
    if not broker.elsewhere:
        return [{"to": [_pods(flow, **_BROKER)], **_ports(broker.port, *more)}]
    # One that is elsewhere has addresses that nobody knows beforehand; credentials for it may come from the node.
    return [{"to": [_ANYWHERE], **_ports(broker.port, *more)}, {"to": [_POD_IDENTITY], **_ports(80)}]


def _clients(flow: str, component: str, port: int, broker: Broker) -> list[Rule]:
    rules: list[Rule] = [{"from": [_pods(flow, **_SERVICE)], **_ports(port)}]
    if component == "broker":
        rules.append({"from": [_pods(flow, **_DRAIN)], **_ports(port, *filter(None, [broker.management]))})
    else:
        rules.append({"from": [_pods(flow, **_MIGRATE)], **_ports(port)})
    return rules


def _servers(broker: Broker) -> list[tuple[str, int]]:
    store = ("store", _STORE_PORT)
    return [store] if broker.elsewhere else [("broker", broker.port), store]


_DNS: Final[Rule] = {
    # The pods of the cluster's DNS, and the address of NodeLocal DNSCache.
    "to": [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ],
    "ports": [{"protocol": one, "port": 53} for one in ("UDP", "TCP")],
}
_SERVICE: Final = {"app.kubernetes.io/component": "service"}
_DRAIN: Final = {"app.kubernetes.io/component": "drain"}
_MIGRATE: Final = {"app.kubernetes.io/component": "migrate"}
_BROKER: Final = {"app.kubernetes.io/component": "broker"}
_ANYWHERE: Final = {"ipBlock": {"cidr": "0.0.0.0/0"}}
_POD_IDENTITY: Final = {"ipBlock": {"cidr": "169.254.170.23/32"}}
"""Where EKS Pod Identity hands out credentials."""

_EDGE: Final = {"app.kubernetes.io/component": "edge"}
"""The label of the namespace from which requests of people come, such as that of an ingress controller."""


def _outsides(service: Service) -> list[str]:
    return sorted({effect.outside for effect in service.effects.values()})


def _labels(flow: str, name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": flow}


def _pods(flow: str, **labels: str) -> Rule:
    return {"podSelector": {"matchLabels": {**labels, "app.kubernetes.io/part-of": flow}}}


def _namespace(name: str) -> Rule:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _ports(*ports: int) -> Rule:
    return {"ports": [{"protocol": "TCP", "port": port} for port in ports]}


def _policy(
    name: str,
    selects: Mapping[str, str],
    *,
    ingress: Sequence[Rule] | None = None,
    egress: Sequence[Rule] | None = None,
) -> Mapping[str, Any]:
    directions = {"Ingress": ingress, "Egress": egress}
    spec: dict[str, Any] = {
        "podSelector": {"matchLabels": dict(selects)},
        "policyTypes": [name for name, rules in directions.items() if rules is not None],
    }
    spec |= {direction.lower(): list(rules) for direction, rules in directions.items() if rules}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }
