"""Projections and hooks are declared by their signatures; an invalid one is refused at import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from choreography import Committing, Entity, Event, Id, Service, Value
from choreography.errors import DeclarationError


class Placed(Event, type="thing.placed.v1", owner="shop", subject="order_id"):
    """Something happened."""

    order_id: Id


class Thing(Entity, key="order_id"):
    """Something kept."""

    order_id: Id
    count: int = 0


class Line(Value):
    """A row."""

    order_id: Id
    line: int
    sku: str | None = None


def one(thing: Thing) -> Line:
    """Return one row."""
    return Line(order_id=thing.order_id, line=1)


def perhaps(thing: Thing) -> Line | None:
    """Return one row or none."""
    return Line(order_id=thing.order_id, line=1) if thing.count else None


def several(thing: Thing) -> tuple[Line, ...]:
    """Return as many rows as it counts."""
    return tuple(Line(order_id=thing.order_id, line=number) for number in range(thing.count))


def itself(thing: Thing) -> Thing:
    """Be its own row."""
    return thing


def twice(thing: Thing) -> tuple[Line, ...]:
    """Return two rows that nothing tells apart."""
    return (one(thing), one(thing))


def foreign(thing: Thing) -> Line:
    """Return a row of another entity."""
    return Line(order_id=f"not-{thing.order_id}", line=1)


def strange(thing: Thing) -> Line:
    """Return something else than a row."""
    return thing  # type: ignore[return-value]


@pytest.mark.parametrize(("function", "rows"), [(one, 1), (perhaps, 0), (several, 0), (itself, 1)])
def test_a_projection_returns_a_row_or_none_or_several(function: Callable[..., Any], rows: int) -> None:
    """All declared forms work; a deleted entity has no rows."""
    shop = Service("shop")
    shop.projection("lines", key=("order_id",))(function)
    assert len(shop.projections[0].rows(Thing(order_id="a"))) == rows
    assert shop.projections[0].rows(None) == ()


@pytest.mark.parametrize(
    ("function", "words"),
    [(twice, "two rows with the key"), (foreign, "its own entity"), (strange, "declares rows of")],
)
def test_a_row_that_is_not_what_was_declared_is_refused(function: Callable[..., Any], words: str) -> None:
    """The event of that entity fails before anything is written."""
    shop = Service("shop")
    shop.projection("lines", key=("order_id", "line"))(function)
    with pytest.raises((TypeError, ValueError), match=words):
        shop.projections[0].rows(Thing(order_id="a"))


def no_entity(thing: Line) -> Line:
    """Take no entity."""
    return thing


def no_rows(thing: Thing) -> int:
    """Return no rows."""
    return thing.count


def two_kinds(thing: Thing) -> Line | Thing:
    """Return rows of two kinds."""
    return thing


async def waiting(thing: Thing) -> Line:
    """Wait, which a projection does not."""
    return one(thing)


@pytest.mark.parametrize(
    ("function", "table", "key", "words"),
    [
        (no_entity, "lines", ("order_id",), "must take one entity"),
        (no_rows, "lines", ("order_id",), "must take one entity"),
        (two_kinds, "lines", ("order_id",), "must take one entity"),
        (waiting, "lines", ("order_id",), "plain def"),
        (one, 'lines"; drop', ("order_id",), "without quotes"),
        (one, "Lines", ("order_id",), "without quotes"),
        (one, "lines", (), "Name some of those"),
        (one, "lines", ("order_id", "order_id"), "each once"),
        (one, "lines", ("order_id", "colour"), "columns order_id, line, sku"),
        (one, "lines", ("line", "order_id"), "does not begin with 'order_id'"),
    ],
)
def test_a_projection_that_could_not_be_written_is_refused_at_import(
    function: Callable[..., Any], table: str, key: tuple[str, ...], words: str
) -> None:
    """The message says what to write instead."""
    with pytest.raises(DeclarationError, match=words):
        Service("shop").projection(table, key=key)(function)


def test_two_projections_of_one_table_are_refused() -> None:
    """Each would delete the rows of the other."""
    shop = Service("shop")
    shop.projection("lines", key=("order_id", "line"))(one)
    with pytest.raises(DeclarationError, match="each would delete"):
        shop.projection("lines", key=("order_id", "line"))(several)


def test_a_projection_of_what_is_never_kept_is_refused() -> None:
    """Its table would stay empty for ever."""
    shop = Service("shop")
    shop.projection("lines", key=("order_id", "line"))(one)
    with pytest.raises(DeclarationError, match="no reaction takes it"):
        shop.check()


async def with_asyncpg(connection: asyncpg.Connection, committing: Committing) -> None:
    """Take a connection of asyncpg."""


async def with_sqlalchemy(connection: AsyncConnection, committing: Committing) -> None:
    """Take a connection of SQLAlchemy."""


def without_waiting(connection: Connection, committing: Committing) -> None:
    """Take a connection of SQLAlchemy that is not waited for."""


def test_a_hook_says_by_its_signature_which_connection_it_takes() -> None:
    """Its declaration says for which events it is called."""
    shop = Service("shop")
    for hook in (with_asyncpg, with_sqlalchemy):
        shop.in_transaction()(hook)
    shop.in_transaction(Placed)(without_waiting)
    assert [hook.takes for hook in shop.hooks] == [
        "asyncpg.Connection",
        "sqlalchemy.ext.asyncio.AsyncConnection",
        "sqlalchemy.Connection",
    ]
    assert [hook.concerns("thing.moved.v1") for hook in shop.hooks] == [True, True, False]


def nothing_taken() -> None:
    """Take nothing."""


async def only_one(connection: AsyncConnection) -> None:
    """Take no event."""


async def no_connection(connection: str, committing: Committing) -> None:
    """Take something else."""


def not_waiting(connection: AsyncConnection, committing: Committing) -> None:
    """Use an async connection without waiting."""


async def waiting_for_nothing(connection: Connection, committing: Committing) -> None:
    """Wait though the connection does not."""


async def unknown(connection: Missing, committing: Committing) -> None:  # type: ignore[name-defined] # noqa: F821
    """Mention what is not there."""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (nothing_taken, "must take a connection"),
        (only_one, "must take a connection"),
        (no_connection, "must take a connection"),
        (not_waiting, "must be an async def"),
        (waiting_for_nothing, "must be a plain def"),
        (unknown, "mentions 'Missing'"),
    ],
)
def test_a_hook_that_could_not_be_called_is_refused_at_import(function: Callable[..., Any], words: str) -> None:
    """The message shows a signature that works."""
    with pytest.raises(DeclarationError, match=words):
        Service("shop").in_transaction()(function)


def test_a_hook_is_declared_once_and_for_events_only() -> None:
    """Anything else is a mistake in the program."""
    shop = Service("shop")
    with pytest.raises(DeclarationError, match="Name events and answers"):
        shop.in_transaction(Thing)(with_sqlalchemy)  # type: ignore[arg-type]
    shop.in_transaction()(with_sqlalchemy)
    with pytest.raises(DeclarationError, match="two hooks named"):
        shop.in_transaction()(with_sqlalchemy)


def test_a_hook_for_an_event_that_nobody_hears_is_refused() -> None:
    """It would never be called."""
    shop = Service("shop")
    shop.in_transaction(Placed)(with_sqlalchemy)
    with pytest.raises(DeclarationError, match="no reaction hears"):
        shop.check()
