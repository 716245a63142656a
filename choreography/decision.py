"""The possible return values of a reaction, and how a value is sorted into its parts."""

from __future__ import annotations

import typing
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, Never, TypeAlias

from typing_extensions import TypeVar

from choreography.contracts import Entity, Event, Gone, Intent
from choreography.errors import UnsayableEventError

Said = TypeVar("Said", default=Never)

Decision: TypeAlias = Entity | Gone | Said | tuple[Entity | Gone | Said, ...]
"""New states, and the events and intents that may go with them: ``Decision[StockReserved | StockRejected]``.

The parameter is a declaration, not a decoration: the import fails if the service does not publish an event in it, the
diagrams are drawn from it, and a type checker compares the reaction with it. A bare ``Decision`` allows no events and
intents.

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
"""The deliberate answer that there is nothing to do. A reaction that ends without a ``return`` fails instead.

>>> class Parcel(Entity, key="order_id"):
...     order_id: Id
...     is_sent: bool = False
>>> def send(parcel: Parcel) -> Decision:
...     return nothing if parcel.is_sent else parcel.but(is_sent=True)
>>> send(Parcel(order_id="o1", is_sent=True)) == nothing
True
"""


class Decided(NamedTuple):
    """A decision in four parts: states to keep, states to delete, facts to publish, intents to carry out."""

    entities: list[Entity]
    gone: list[Entity]
    events: list[Event]
    intents: list[Intent]


def read_decision(answer: Any, reaction: str) -> Decided:
    """Sort a reaction's return value into its parts.

    Raises:
        UnsayableEventError: the value is None, or holds something that belongs to none of the four parts.
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
    """Return the kind of a part by its class. Testing each part anew would cost more than everything else here."""
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
