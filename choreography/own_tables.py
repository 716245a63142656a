"""A service's own tables, written in the transaction that commits an event.

A projection is a pure function from an entity to the rows of a table; the library writes them. A hook gets the open
connection, for all writes that are no projection.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar, Union

from choreography.contracts import Answer, Deadline, Entity, Event, Intent, Value
from choreography.errors import DeclarationError
from choreography.fields import as_key

Function = TypeVar("Function", bound=Callable[..., Any])

_TABLE: Final = re.compile(r"(?:[a-z_][a-z0-9_]{0,62}\.)?[a-z_][a-z0-9_]{0,62}")


class Change(NamedTuple):
    """One entity before and after an event; None where there is no such entity."""

    before: Entity | None
    after: Entity | None


@dataclass(frozen=True, slots=True)
class Committing:
    """One event that is about to be committed: the argument of a hook.

    Attributes:
        event_id: the id of the event: the same in every attempt, and never committed twice.
        type: its wire type.
        flow_id: the flow that it belongs to.
        at: when it is settled, by the clock of this replica.
        heard: the event itself; a Deadline if a deadline has fired.
        changes: the entities that the event changed.
        says: the events that are published after the commit.
        asks: the intents that are carried out after the commit.

    >>> from sqlalchemy import Connection, text
    >>> class OrderPlaced(Event, type="order.placed.v1", owner="order", subject="order_id"):
    ...     order_id: Id
    >>> order = Service("order")
    >>> @order.in_transaction(OrderPlaced)
    ... def count(connection: Connection, committing: Committing) -> None:
    ...     connection.execute(text("insert into seen values (:id)"), {"id": committing.event_id})
    """

    event_id: str
    type: str
    flow_id: str
    at: datetime
    heard: Event | Answer | Deadline
    changes: tuple[Change, ...]
    says: tuple[Event, ...]
    asks: tuple[Intent, ...]


class Takes(StrEnum):
    """The kind of connection that a hook takes."""

    ASYNCPG = "asyncpg.Connection"
    ASYNC_SQLALCHEMY = "sqlalchemy.ext.asyncio.AsyncConnection"
    SQLALCHEMY = "sqlalchemy.Connection"


_BY_CLASS: Final = {
    ("asyncpg", "Connection"): Takes.ASYNCPG,
    ("sqlalchemy", "AsyncConnection"): Takes.ASYNC_SQLALCHEMY,
    ("sqlalchemy", "Connection"): Takes.SQLALCHEMY,
}


@dataclass(frozen=True, slots=True)
class Projection:
    """One declared projection: an entity becomes rows of a table."""

    name: str
    function: Callable[..., Any]
    parameter: str
    entity: type[Entity]
    row: type[Value]
    table: str
    key: tuple[str, ...]

    @property
    def owner(self) -> str:
        """The column that holds the key of the entity: all rows of the entity are found by it."""
        return self.key[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it writes."""
        return tuple(self.row.model_fields)

    def rows(self, entity: Entity | None) -> tuple[Value, ...]:
        """Return the rows of an entity; none if there is no such entity.

        Raises:
            TypeError: the function returned another type than it declares.
            ValueError: a row has the key of another entity, or two rows have the same key.
        """
        if entity is None:
            return ()
        answer = self.function(**{self.parameter: entity})
        rows = answer if isinstance(answer, tuple) else () if answer is None else (answer,)
        keys: set[tuple[Any, ...]] = set()
        for row in rows:
            if not isinstance(row, self.row):
                raise TypeError(
                    f"The projection {self.name} returned {row!r}, and it declares rows of {self.row.__name__}."
                )
            if as_key(getattr(row, self.owner)) != entity.key:
                raise ValueError(
                    f"The projection {self.name} of the {entity.kind} {entity.key!r} returned a row whose "
                    f"{self.owner} is {getattr(row, self.owner)!r}. A row belongs to its own entity."
                )
            key = tuple(getattr(row, name) for name in self.key)
            if key in keys:
                raise ValueError(
                    f"The projection {self.name} of the {entity.kind} {entity.key!r} returned two rows with the key "
                    f"{', '.join(map(repr, key))}. Add to its key the column by which they differ."
                )
            keys.add(key)
        return rows


@dataclass(frozen=True, slots=True)
class Hook:
    """One declared hook: it is called in the transaction that commits an event."""

    name: str
    function: Callable[..., Any]
    takes: Takes
    hears: tuple[type[Event | Answer], ...]

    def concerns(self, wire_type: str) -> bool:
        """Tell whether the hook is called for an event of this type."""
        return not self.hears or any(heard.wire_type == wire_type for heard in self.hears)


class OwnTables:
    """The part of a service's declaration that concerns its own tables."""

    name: str

    def __init__(self) -> None:
        self.projections: list[Projection] = []
        self.hooks: list[Hook] = []

    def projection(self, table: str, *, key: Sequence[str]) -> Callable[[Function], Function]:
        """Declare a projection: a pure function from an entity to the rows of a table that your migrations made.

        The rows are written in the transaction that commits the entity, and replace the entity's earlier rows. A
        deleted entity has no rows.

        Args:
            table: its name, ``order_lines`` in the schema of the service, or ``sales.order_lines``.
            key: the columns that identify a row, the key of the entity first. The table has a unique index on them.
        """

        def declare(function: Function) -> Function:
            projection = read_projection(function, table, tuple(key))
            if twin := next((one for one in self.projections if one.table == table), None):
                raise DeclarationError(
                    f"{self.name} writes the table {table!r} in two projections, {twin.name} and {projection.name}, "
                    "and each would delete the rows of the other. Give each a table of its own."
                )
            self.projections.append(projection)
            return function

        return declare

    def in_transaction(self, *heard: type[Event | Answer]) -> Callable[[Function], Function]:
        """Declare a hook: it gets the open connection, and the event that is about to be committed.

        It may do nothing but use the connection: it is called again when the transaction is tried again. If it raises,
        its event fails as if a reaction had raised, and none of its writes are committed.

        Args:
            heard: the events and answers for which it is called; without any, it is called for all that reactions
                settle.
        """

        def declare(function: Function) -> Function:
            hook = read_hook(function, heard)
            if any(one.name == hook.name for one in self.hooks):
                raise DeclarationError(f"{self.name} has two hooks named {hook.name!r}. Rename one.")
            self.hooks.append(hook)
            return function

        return declare


def read_projection(function: Callable[..., Any], table: str, key: tuple[str, ...]) -> Projection:
    """Read one projection's signature and refuse a projection whose rows could not be written."""
    where = f"The projection {function.__name__}"
    hints = _hints(function, where)
    if inspect.iscoroutinefunction(function):
        raise DeclarationError(f"{where} is an async def, but it waits for nothing. Write a plain def.")
    if not _TABLE.fullmatch(table):
        raise DeclarationError(
            f"{where} writes the table {table!r}, which no database takes without quotes. "
            "Write lower-case letters, digits and underscores: order_lines, or sales.order_lines."
        )
    row = _row_of(hints.pop("return", None))
    entities = [hint for hint in hints.values() if isinstance(hint, type) and issubclass(hint, Entity)]
    if row is None or len(entities) != 1 or len(hints) != 1:
        raise DeclarationError(
            f"{where} must take one entity and return its rows: def {function.__name__}(order: Order) -> "
            "tuple[Row, ...], or -> Row, or -> Row | None, where Row is a Value with a field for each column."
        )
    [entity] = entities
    unknown = [name for name in key if name not in row.model_fields]
    if unknown or not key or len(set(key)) < len(key):
        raise DeclarationError(
            f"{where} has the key {key!r}, and {row.__name__} has the columns {', '.join(row.model_fields)}. "
            "Name some of those, each once."
        )
    if key[0] != entity.key_field:
        raise DeclarationError(
            f"{where} has the key {key!r}, which does not begin with {entity.key_field!r}, the key of "
            f"{entity.__name__}. By it the rows of one entity are found, so that they can be replaced."
        )
    return Projection(function.__name__, function, next(iter(hints)), entity, row, table, key)


def read_hook(function: Callable[..., Any], heard: Sequence[type[Event | Answer]]) -> Hook:
    """Read one hook's signature: the connection, then the event that is about to be committed."""
    where = f"The hook {function.__name__}"
    hints = _hints(function, where)
    hints.pop("return", None)
    first, second = [*hints.values(), None, None][:2]
    module = getattr(first, "__module__", "").partition(".")[0]
    takes = _BY_CLASS.get((module, getattr(first, "__qualname__", "")))
    if takes is None or second is not Committing or len(hints) != 2:
        raise DeclarationError(
            f"{where} must take a connection and what is committed: {function.__name__}(connection: "
            f"AsyncConnection, committing: Committing). A connection is one of {', '.join(Takes)}."
        )
    if inspect.iscoroutinefunction(function) is (takes is Takes.SQLALCHEMY):
        kind = "a plain def" if takes is Takes.SQLALCHEMY else "an async def"
        raise DeclarationError(f"{where} takes a {takes}, so it must be {kind}.")
    for model in heard:
        if not (isinstance(model, type) and issubclass(model, (Event, Answer)) and model.wire_type):
            raise DeclarationError(
                f"{where} is declared for {model!r}. Name events and answers, or nothing for all: in_transaction()."
            )
    return Hook(function.__name__, function, takes, tuple(heard))


def _hints(function: Callable[..., Any], where: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError as error:
        raise DeclarationError(
            f"{where} mentions {error.name!r} in its signature, which is not there when the module is imported. "
            "Import it for real, not only for type checkers."
        ) from error


def _row_of(annotation: Any) -> type[Value] | None:
    """Return the row class that a projection returns; None if the annotation names no row class."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple and len(parts) == 2 and parts[1] is Ellipsis:
        annotation = parts[0]
    elif origin in (Union, types.UnionType):
        [annotation, *others] = [part for part in parts if part is not types.NoneType]
        if others:
            return None
    return annotation if isinstance(annotation, type) and issubclass(annotation, Value) else None
