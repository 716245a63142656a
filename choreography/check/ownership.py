"""State that two services believe to be theirs."""

from __future__ import annotations

from collections.abc import Iterator

from choreography.check.finding import Checked, Found
from choreography.contracts import Entity
from choreography.service import Service


def shared(flow: Checked) -> Iterator[Found]:
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
