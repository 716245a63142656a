"""Chooses the module that inspects a broker by the type of its component."""

from __future__ import annotations

from typing import Final, Protocol

from choreography.drain.sight import DrainError, Sight, Where
from choreography.provision import BrokerLayout
from choreography.provision.clients import speaker

_MODULES: Final = {
    "pubsub.redis": "choreography.drain.brokers.redis",
    "pubsub.kafka": "choreography.drain.brokers.kafka",
    "pubsub.rabbitmq": "choreography.drain.brokers.rabbitmq",
    "pubsub.jetstream": "choreography.drain.brokers.nats",
    "pubsub.nats-pull": "choreography.drain.brokers.nats_pull",
    "pubsub.aws.snssqs": "choreography.drain.brokers.aws",
    "pubsub.aws.eventbridge": "choreography.drain.brokers.eventbridge",
    "pubsub.eventbridge": "choreography.drain.brokers.eventbridge",  # its type in version 0.1.0
}


class BrokerLooker(Protocol):
    """One broker's module."""

    async def look(self, layout: BrokerLayout, where: Where) -> Sight:
        """Ask the broker itself for the remaining messages of every subscriber."""
        ...

    def settles(self, where: Where) -> float:
        """Seconds after which every figure of the broker is newer than all earlier ones."""
        ...


def looker_for(layout: BrokerLayout) -> BrokerLooker:
    """Return the module that can inspect a broker.

    Raises:
        DrainError: no module can inspect it.
    """
    if layout.kind not in _MODULES:
        known = ", ".join(sorted(_MODULES))
        raise DrainError(
            f"Nobody here can look at {layout.kind!r}, so nobody knows what is on it. Known are: {known}. With another "
            "broker, close the intake and read its own console until no subscription has anything left."
        )
    looker: BrokerLooker = speaker(_MODULES[layout.kind], layout.kind, "asked", DrainError)
    return looker
