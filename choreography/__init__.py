"""Services that dance without a conductor: pure reactions to events, exactly once in effect, on any Dapr broker.

Not here: flows, which use only the names below (`apps`, `examples`), and the settings of brokers and stores
(`components`).
"""

from choreography.contracts import (
    Answer,
    Deadline,
    Entity,
    Event,
    Id,
    Intent,
    Money,
    Request,
    Value,
)
from choreography.decision import Decision, nothing
from choreography.errors import ChoreographyError
from choreography.outside import Outside
from choreography.own_tables import Committing
from choreography.parameters import NewId, named_by
from choreography.service import Service

__all__ = [
    "Answer",
    "ChoreographyError",
    "Committing",
    "Deadline",
    "Decision",
    "Entity",
    "Event",
    "Id",
    "Intent",
    "Money",
    "NewId",
    "Outside",
    "Request",
    "Service",
    "Value",
    "named_by",
    "nothing",
]
