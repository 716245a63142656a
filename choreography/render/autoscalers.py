"""How many replicas of each service: as many as what waits for it on the broker is worth (KEDA)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from choreography.render.brokers import BROKERS, Broker
from choreography.render.source import Files, Source, documents
from choreography.service import Service
from choreography.topics import UNPREFIXED, Naming, intents

_MOST: Final = 8
_SECRET: Final = "choreography-broker"  # noqa: S105 - the name of a Secret, not one

_FROM_ENVIRONMENT: Final = "Where the broker is, KEDA reads from {} in the environment of the container `app`."
_HOW_MANY: Final = (
    "Never none: somebody must answer its requests and deadlines.\n"
    "More than one only on a store that admits several replicas (PostgreSQL, not SQLite)."
)


def autoscaler_files(source: Source) -> Files:
    """Render the scaled objects of a flow for each broker."""
    return {
        f"k8s/{file.stem}/scaled-objects.yaml": documents(
            scaled_objects(source.title, source.services, file.stem, source.names)
        )
        for file in source.brokers
        if file.stem in BROKERS
    }


def scaled_objects(
    flow: str, services: Sequence[Service], broker: str, names: Naming = UNPREFIXED
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield where the broker is, and a scaled object for each service that hears anything."""
    table = BROKERS[broker]
    name = f"{flow}-broker"
    if table.address:
        yield (
            f"Where the broker is comes from the Secret {_SECRET}, its keys named as KEDA names them. {table.advice}",
            {
                "apiVersion": "keda.sh/v1alpha1",
                "kind": "TriggerAuthentication",
                "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": flow}},
                "spec": {"secretTargetRef": [{"parameter": table.address, "name": _SECRET, "key": table.address}]},
            },
        )
    for service in services:
        if service.hears:
            yield from _of(flow, service, table, name, names)


def triggers_of(service: Service, broker: Broker, names: Naming = UNPREFIXED) -> Iterator[Mapping[str, Any]]:
    """Yield what makes one service grow: how much waits in each of its queues."""
    topics = _waited_for(service)
    for topic in topics if broker.per_topic else topics[:1]:
        yield broker.trigger(service.name, names.on_broker(topic), names.on_broker(service.name))


def _waited_for(service: Service) -> list[str]:
    return [*sorted(service.hears), *([intents(service.name)] if service.effects else [])]


def _of(
    flow: str, service: Service, broker: Broker, name: str, names: Naming
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    known = {"authenticationRef": {"name": name}} if broker.address else {}
    triggers = [{**trigger, **known} for trigger in triggers_of(service, broker, names)]
    where = f"\n{_FROM_ENVIRONMENT.format(broker.environment)} {broker.advice}" if broker.environment else ""
    container = {"envSourceContainerName": "app"} if broker.environment else {}
    yield (
        f"{service.name} hears {', '.join(_waited_for(service))}. {_HOW_MANY}{where}",
        {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": service.name, "labels": {"app.kubernetes.io/part-of": flow}},
            "spec": {
                "scaleTargetRef": {"name": service.name, **container},
                "minReplicaCount": 1,
                "maxReplicaCount": _MOST,
                # A replica that goes leaves deliveries behind, which another gets only when the broker gives up on it.
                "cooldownPeriod": 300,
                "triggers": triggers,
            },
        },
    )
