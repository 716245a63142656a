"""How many connections a sidecar opens if each topic has its own component, compared with the server's limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from choreography.render.resources import Resource


@dataclass(frozen=True, slots=True)
class Server:
    """The default limit of one server.

    Attributes:
        name: its usual name.
        most: the number of connections.
        why: the source of that number.
    """

    name: str
    most: int
    why: str


SERVERS: Final[Mapping[str, Server]] = {
    "pubsub.jetstream": Server("NATS", 65_536, "its default max_connections"),
    "pubsub.rabbitmq": Server("RabbitMQ", 829, "what 1,024 open files leave it, the limit of many systems"),
}
"""By the types of those components that connect once for each topic; the others connect once for all."""

_NEAR: Final = 4
"""A flow near the limit takes a quarter of it with one replica of each service, and so all of it with a few."""


def connections_in(resources: Sequence[Resource]) -> Mapping[str, Mapping[str, int]]:
    """Return the number of connections that a replica of each app opens, by the type of the component."""
    counted: dict[str, Counter[str]] = {}
    for one in resources:
        if one.kind == "Component" and one.type in SERVERS:
            counted.setdefault(one.type, Counter()).update(one.scopes)
    return counted


def tell_connections(resources: Sequence[Resource]) -> Iterator[str]:
    """Yield a sentence for each server on how many connections a flow opens to it."""
    for kind, apps in connections_in(resources).items():
        server = SERVERS[kind]
        app, most = max(apps.items(), key=lambda pair: pair[1])
        yield (
            f"{app} opens {most} connections to {server.name} with each replica, and one replica of each service opens "
            f"{sum(apps.values())} together. The server takes {server.most:,} ({server.why})."
        )


def judge_connections(resources: Sequence[Resource]) -> Iterator[str]:
    """Yield a sentence for each server that a flow fills with a few replicas, or already with the first."""
    for kind, apps in connections_in(resources).items():
        server, together = SERVERS[kind], sum(apps.values())
        file = next(one.file for one in resources if one.type == kind)
        if together * _NEAR >= server.most:
            room = server.most // together
            yield (
                f"{file}: one replica of each service opens {together:,} connections to {server.name}, which takes "
                f"{server.most:,} ({server.why}). That is room for {room} of each, and a sidecar that is refused never "
                f"becomes ready. Raise the limit of the server, split the flow, or choose Kafka or Redis."
            )
