"""EventBridge: the counts of every queue. Only the component knows the names of its queues, so it is asked."""

from __future__ import annotations

import json

from choreography.drain.brokers.aws import settles
from choreography.drain.sight import DrainError, Sight, Standing, Where
from choreography.provision import BrokerLayout, ProvisionError
from choreography.provision.eventbridge import ask

__all__ = ["look", "settles"]


async def look(layout: BrokerLayout, where: Where) -> Sight:
    """Ask every queue. A bus keeps no event without a rule for it, so nothing is known of such events."""
    try:
        lines = await ask("count", layout, where.address)
    except ProvisionError as error:
        raise DrainError(f"EventBridge did not say what its queues hold. {error}") from error
    counted = [json.loads(line) for line in lines]
    return Sight(tuple(Standing(one["app"], one["topic"], one["waiting"], one["in_hand"]) for one in counted))
