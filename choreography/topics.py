"""The topics a flow has besides those its services own, and who may use which.

Their names are part of the wire: a renamed topic leaves behind whatever nobody has read from it yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from choreography.service import Service

PUBSUB: Final = "pubsub"
"""The one neutral name of the broker, so that exchanging the broker is exchanging one file."""

PUBSUB_OF_TOPIC: Final = "pubsub-{topic}"
"""Where a component of the broker serves one topic only, each topic has one of this name."""

STATESTORE: Final = "statestore"
"""The one neutral name of the store."""

CONTROL: Final = "nudges"
"""Where services are asked to publish again what they recorded, or to run a quarantined event again."""

CHRONICLE: Final = "chronicle"
"""The app id of the observer: it may read everything and ask for repeats, and nothing else."""


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
    return (service.topic, *own, intents(service.name)) if service.effects else (service.topic, *own)


def all_topics(services: Sequence[Service]) -> tuple[str, ...]:
    """Every topic of a flow."""
    topics = {CONTROL}
    for service in services:
        topics.update(subscribed_by(service), published_by(service))
    return tuple(sorted(topics))
