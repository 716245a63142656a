"""The topics of a flow, their names on the broker, and the services that may use each.

Each family of events has a topic with the name of the family: ``order.created``. The other topics are the library's
own. On the broker every name has a prefix, so that several flows and environments can share a broker:
``checkout.order.created``. Only code that talks to a broker knows the prefix; it is added when an event is published
and removed when an event is delivered.

Names are part of the wire: renaming a topic leaves its unread events behind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from choreography.errors import ChoreographyError
from choreography.service import Service

PUBSUB: Final = "pubsub"
"""The neutral name of the broker's component, so that exchanging the broker means exchanging one file."""

PUBSUB_OF_TOPIC: Final = "pubsub-{topic}"
"""The name of each topic's component, if a component of the broker serves only one topic."""

STORES_FOLDER: Final = "stores"
"""The folder among those of the brokers that holds a folder for each state store of sidecars."""
STATESTORE: Final = "statestore"
"""The neutral name of the store's component."""

CONTROL: Final = "nudges"
"""The topic of nudges and replays: services publish recorded outcomes again, or run a quarantined event again."""

CHRONICLE: Final = "chronicle"
"""The app id of the observer: it may read everything and ask for repeats, and may do nothing else."""


_PREFIX: Final = re.compile(r"^[a-z][a-z0-9-]{0,62}$")


@dataclass(frozen=True, slots=True)
class TopicNaming:
    """The names of one flow's topics on the broker; the same names everywhere if there is no prefix."""

    prefix: str = ""

    def __post_init__(self) -> None:
        if self.prefix and not _PREFIX.match(self.prefix):
            raise ChoreographyError(
                f"{self.prefix!r} cannot be the prefix of topics: not every broker would accept it, or could tell "
                "where it ends. Use at most 63 lower-case letters, digits and hyphens, beginning with a letter."
            )

    def on_broker(self, topic: str) -> str:
        """Return the name of a topic on the broker."""
        return f"{self.prefix}.{topic}" if self.prefix else topic

    def of_flow(self, name: str) -> str:
        """Return the flow's name of a topic of the broker. A name with another prefix stays as it is."""
        return name.removeprefix(f"{self.prefix}.") if self.prefix else name


UNPREFIXED: Final = TopicNaming()
"""The names as the flow itself knows them."""


def prefix_of(flow: str) -> str:
    """Return the prefix of a flow's topics, ``checkout``; the environment may set another."""
    return flow.rpartition(".")[2].lower().replace("_", "-").strip("-")


def canary(service: str) -> str:
    """The topic of canaries: a starting service tests whether unacknowledged deliveries are redelivered."""
    return f"{service}-canary"


def undelivered(service: str) -> str:
    """The topic to which a service's sidecar moves messages it could not deliver, such as one that is not JSON."""
    return f"{service}-undelivered"


def dead_letters(service: str) -> str:
    """The topic of a service's dead letters, which report quarantined events."""
    return f"{service}-dead-letters"


def intents(service: str) -> str:
    """The topic of a service's long-running intents, so that these delay no other event."""
    return f"{service}-intents"


def heard_by(service: Service) -> tuple[str, ...]:
    """The topics whose messages are delivered to a service as events."""
    own = (canary(service.name), intents(service.name)) if service.effects else (canary(service.name),)
    return (*sorted(service.hears), CONTROL, *own)


def subscribed_by(service: Service) -> tuple[str, ...]:
    """Every topic to which a service may subscribe."""
    return (*heard_by(service), undelivered(service.name))


def published_by(service: Service) -> tuple[str, ...]:
    """Every topic to which a service, or its sidecar on its behalf, may publish."""
    own = (canary(service.name), undelivered(service.name), dead_letters(service.name))
    return (*service.topics, *own, intents(service.name)) if service.effects else (*service.topics, *own)


def all_topics(services: Sequence[Service]) -> tuple[str, ...]:
    """Every topic of a flow."""
    topics = {CONTROL}
    for service in services:
        topics.update(subscribed_by(service), published_by(service))
    return tuple(sorted(topics))
