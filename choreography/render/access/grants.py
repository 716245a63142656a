"""The topics that each service may use on the broker itself: these permissions hold even for a stolen password."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from choreography.service import Service
from choreography.topics import CHRONICLE, CONTROL, TopicNaming, all_topics, published_by, subscribed_by


@dataclass(frozen=True, slots=True)
class Grant:
    """The permissions of one service, in the names that the broker knows.

    Attributes:
        app: its app id, which also names its queues and consumer groups.
        user: the user of the broker as which its sidecar logs in.
        publishes: the topics that it may publish to.
        hears: the topics that it may subscribe to.
    """

    app: str
    user: str
    publishes: tuple[str, ...]
    hears: tuple[str, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic that it uses."""
        return tuple(sorted({*self.publishes, *self.hears}))


def grants_of(services: Sequence[Service], names: TopicNaming) -> tuple[Grant, ...]:
    """Return a grant for each service of a flow, and for its observer: the same as the scopes of its components."""
    granted = {service.name: (published_by(service), subscribed_by(service)) for service in services}
    granted[CHRONICLE] = (CONTROL,), all_topics(services)
    return tuple(
        Grant(
            app,
            names.on_broker(app),
            tuple(sorted(map(names.on_broker, publishes))),
            tuple(sorted(map(names.on_broker, hears))),
        )
        for app, (publishes, hears) in granted.items()
    )
