"""An engine that publishes before it commits: fast, and right as long as nobody else commits in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from choreography.engine.delivery import Delivery
from choreography.engine.memory import Published
from choreography.engine.operations import Commit, Publish
from choreography.engine.settling import Settler
from choreography.explore.replicas.program import Setting, Steps, released
from choreography.explore.replicas.rows import outcomes
from choreography.in_memory import NOON


def publishes_first(setting: Setting, deliveries: Sequence[Delivery], published: Published) -> Steps:
    """Settle a batch, but publish what is to be committed before it is."""
    engine = Settler(setting.service, setting.limits, published).settle(deliveries, NOON)
    answer: Any = None
    while True:
        try:
            operation = engine.send(answer)
        except StopIteration as end:
            return (yield from released(setting, end.value, published))
        if isinstance(operation, Commit):
            rows = tuple((write.key, write.value, 0) for write in operation.writes if write.value is not None)
            events = tuple(event for outcome in outcomes(rows) for event in outcome.events)
            yield Publish(events)
        answer = yield operation
