"""The topics of a flow, what they are called on the broker, and who may use which.

Each family of events has a topic, named as the family: ``order.created``. The others are the library's own. On the
broker every name has a prefix, so that several flows and environments can share one: ``checkout.order.created``. Only
what talks to a broker knows the prefix; it is added when an event is published and removed when one is delivered.

Names are part of the wire: a renamed topic leaves behind whatever nobody has read from it yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from choreography.errors import ChoreographyError
from choreography.service import Service

PUBSUB: Final = "pubsub"
"""The one neutral name of the broker, so that exchanging the broker is exchanging one file."""

PUBSUB_OF_TOPIC: Final = "pubsub-{topic}"
"""Where a component of the broker serves one topic only, each topic has one of this name."""

STORES_FOLDER: Final = "stores"
"""Among the folders of brokers, the one that holds a folder for each state store of sidecars."""
STATESTORE: Final = "statestore"
"""The one neutral name of the store."""

CONTROL: Final = "nudges"
"""Where services are asked to publish again what they recorded, or to run a quarantined event again."""

CHRONICLE: Final = "chronicle"
"""The app id of the observer: it may read everything and ask for repeats, and nothing else."""


_PREFIX: Final = re.compile(r"^[a-z][a-z0-9-]{0,62}$")


@dataclass(frozen=True, slots=True)
class TopicNaming:
    """How the topics of one flow are called on the broker; without a prefix, as everywhere else."""

    prefix: str = ""

    def __post_init__(self) -> None:
        if self.prefix and not _PREFIX.match(self.prefix):
            raise ChoreographyError(
                f"{self.prefix!r} cannot be the prefix of topics: not every broker would accept it, or could tell "
                "where it ends. Use at most 63 lower-case letters, digits and hyphens, beginning with a letter."
            )

    def on_broker(self, topic: str) -> str:
        """Return what the broker calls a topic."""
        return f"{self.prefix}.{topic}" if self.prefix else topic

    def of_flow(self, name: str) -> str:
        """Return what the flow calls a topic of the broker. A name with another prefix stays as it is."""
        return name.removeprefix(f"{self.prefix}.") if self.prefix else name


UNPREFIXED: Final = TopicNaming()
"""Names as the flow itself knows them."""


def prefix_of(flow: str) -> str:
    """Return the prefix that the topics of a flow have unless its environment says otherwise: ``checkout``."""
    return flow.rpartition(".")[2].lower().replace("_", "-").strip("-")


def canary(service: str) -> str:
    """Where a service proves to itself, when it starts, that deliveries come back until they are done."""
    return f"{service}-canary"


def undelivered(service: str) -> str:
    """Where a service's sidecar puts what it could not hand over, such as a message that is not JSON."""
    return f"{service}-undelivered"


def dead_letters(service: str) -> str:
    """Where a service says that it has quarantined an event."""
    return f"{service}-dead-letters"


def intents(service: str) -> str:
    """Where a service puts an intent that takes long to carry out, so that it holds up no other event."""
    return f"{service}-intents"


def heard_by(service: Service) -> tuple[str, ...]:
    """The topics whose messages are handed to a service as events."""
    own = (canary(service.name), intents(service.name)) if service.effects else (canary(service.name),)
    return (*sorted(service.hears), CONTROL, *own)


def subscribed_by(service: Service) -> tuple[str, ...]:
    """Every topic a service may subscribe to."""
    return (*heard_by(service), undelivered(service.name))


def published_by(service: Service) -> tuple[str, ...]:
    """Every topic a service, or its sidecar on its behalf, may publish to."""
    own = (canary(service.name), undelivered(service.name), dead_letters(service.name))
    return (*service.topics, *own, intents(service.name)) if service.effects else (*service.topics, *own)


def all_topics(services: Sequence[Service]) -> tuple[str, ...]:
    """Every topic of a flow."""
    topics = {CONTROL}
    for service in services:
        topics.update(subscribed_by(service), published_by(service))
    return tuple(sorted(topics))
