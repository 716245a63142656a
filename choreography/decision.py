"""What a reaction may answer, and how an answer is taken apart."""

from __future__ import annotations

import typing
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, Never, TypeAlias

from typing_extensions import TypeVar

from choreography.contracts import Entity, Event, Gone, Intent
from choreography.errors import UnsayableEventError

Said = TypeVar("Said", default=Never)

Decision: TypeAlias = Entity | Gone | Said | tuple[Entity | Gone | Said, ...]
"""New states, and the events and intents that may be said: ``Decision[StockReserved | StockRejected]``.

The parameter is a declaration, not a decoration: the service refuses at import to say what it does not publish,
the diagrams are drawn from it, and a type checker holds the reaction to it. A bare ``Decision`` says nothing.

>>> class StockAdded(Event, type="stock.added.v1", owner="inventory", subject="sku"):
...     sku: Id
>>> class Shelf(Entity, key="sku"):
...     sku: Id
...     available: int = 0
>>> def stock_up(shelf: Shelf, added: StockAdded) -> Decision:
...     return shelf.but(available=shelf.available + 1)
>>> stock_up(Shelf(sku="cup"), StockAdded(sku="cup"))
Shelf(sku='cup', available=1)
"""

nothing: Final[tuple[Never, ...]] = ()
"""The deliberate answer that there is nothing to do. Falling off the end of a reaction is a failure instead.

>>> class Parcel(Entity, key="order_id"):
...     order_id: Id
...     is_sent: bool = False
>>> def send(parcel: Parcel) -> Decision:
...     return nothing if parcel.is_sent else parcel.but(is_sent=True)
>>> send(Parcel(order_id="o1", is_sent=True)) == nothing
True
"""


class Decided(NamedTuple):
    """A decision taken apart: states to keep, states to delete, facts to publish, intents to carry out."""

    entities: list[Entity]
    gone: list[Entity]
    events: list[Event]
    intents: list[Intent]


def read_decision(answer: Any, reaction: str) -> Decided:
    """Sort a reaction's answer into its parts.

    Raises:
        UnsayableEventError: the answer holds something that is none of the four, or is None.
    """
    parts = answer if isinstance(answer, tuple) else (answer,)
    decided = Decided([], [], [], [])
    for part in parts:
        kind: type = type(part)
        match _kind_of(kind):
            case "entity":
                decided.entities.append(part)
            case "gone":
                decided.gone.append(part.entity)
            case "event":
                decided.events.append(part)
            case "intent":
                decided.intents.append(part)
            case _:
                hint = (
                    "return `nothing` to say so on purpose"
                    if part is None
                    else "return entities, events and intents only"
                )
                raise UnsayableEventError(f"The reaction {reaction} answered {part!r}; {hint}.")
    return decided


@lru_cache(maxsize=1024)
def _kind_of(part: type) -> Literal["entity", "gone", "event", "intent", ""]:
    """Return what a part of an answer is by its class; asking each part anew costs more than all else here."""
    if issubclass(part, Entity):
        return "entity"
    if issubclass(part, Gone):
        return "gone"
    return "event" if issubclass(part, Event) else "intent" if issubclass(part, Intent) else ""


def said_in(annotation: Any) -> frozenset[type[Event | Intent]]:
    """Return the event and intent classes named anywhere in a return annotation."""
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        concrete = issubclass(annotation, (Event, Intent)) and annotation not in (Event, Intent)
        return frozenset({annotation}) if concrete else frozenset()
    return frozenset().union(*(said_in(part) for part in typing.get_args(annotation)))
