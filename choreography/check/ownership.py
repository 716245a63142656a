"""State that two services keep, and events without a known owner."""

from __future__ import annotations

from collections.abc import Iterator

from choreography.check.finding import CheckedFlow, Found
from choreography.contracts import Entity
from choreography.service import Service


def shared(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each kind of entity that two services keep."""
    owners: dict[str, list[tuple[Service, type[Entity]]]] = {}
    for service in flow.services:
        for entity in sorted(service.entities, key=lambda one: one.kind):
            owners.setdefault(entity.kind, []).append((service, entity))
    for kind, owned in sorted(owners.items()):
        if len(owned) > 1:
            names = " and ".join(service.name for service, _ in owned)
            yield Found(
                kind,
                f"{names} each keep an entity of the kind {kind!r}, each its own copy in its own part of the store.",
                "Let one of them own it and tell the others by events. If the two are different things, name them "
                'apart: class Order(Entity, key="...", kind="...").',
                owned[1][1],
            )


def unowned(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each event that another service consumes without knowing who publishes it.

    Contracts that still name a topic are older than the rule about owners; a warning at their import shows the new
    form.
    """
    for publisher, event in flow.wiring.published:
        for consumer, read_as in flow.wiring.consumers(event.wire_type):
            if consumer is not publisher and not read_as.owned_by and not read_as.names_topic:
                yield Found(
                    f"{consumer.name}:{event.wire_type}",
                    f"{consumer.name} reacts to {read_as.__name__}, which names no owner, so it would accept one from "
                    "whoever can put it on the topic.",
                    f'Name the service that publishes it: class {read_as.__name__}(..., owner="{publisher.name}").',
                    read_as,
                )
