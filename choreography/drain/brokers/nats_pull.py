"""NATS through our own component, which knows the names of its consumers, so it is asked."""

from __future__ import annotations

import json

from choreography.drain.brokers.nats import settles
from choreography.drain.sight import DrainError, Sight, Standing, Where, dead_letter_topics
from choreography.provision import BrokerLayout, ProvisionError
from choreography.provision.nats_pull import ask

__all__ = ["look", "settles"]


async def look(layout: BrokerLayout, where: Where) -> Sight:
    """Ask every consumer and every stream."""
    try:
        lines = await ask("count", layout, where.address)
    except ProvisionError as error:
        raise DrainError(f"NATS did not say what its streams still hold. {error}") from error
    counted = [json.loads(line) for line in lines]
    topics = {one["topic"]: one for one in counted if "app" not in one}
    return Sight(
        tuple(Standing(one["app"], one["topic"], one["waiting"], one["in_hand"]) for one in counted if "app" in one),
        {topic: topics[topic]["kept"] for topic in dead_letter_topics(layout)},
        {topic: str(one["last"]) for topic, one in topics.items()},
    )
