"""Making the fields and indexes of lists while services run, and dropping those that no list needs any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from choreography.listing import ListView
from choreography.service import Service
from choreography.stores.address import DatabaseAddress
from choreography.stores.indexes import FOUND, make_indexes
from choreography.stores.listed import fields, filling, indexes, nothing_of, only_fields
from choreography.stores.tables import ENTITIES

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TURNS: Final = 10
"""How often a statement is tried again that does not get its lock, or is undone because of a deadlock."""
_LOCK: Final = "set local lock_timeout = '2s'"
"""A statement that waits for a table blocks all later ones, so each wait is short."""
_BUSY: Final = (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)


def make_in_file(connection: Connection, service: Service, *, contract: bool = False) -> None:
    """Make the indexes in a SQLite file, in the transaction of the migration."""
    wanted = indexes(service.name, service.lists)
    for index in wanted:
        connection.exec_driver_sql(index.statement)
    if contract:
        found = connection.exec_driver_sql(
            f"select name from sqlite_master where type = 'index' and tbl_name = '{ENTITIES}' and name like 'list\\_%' "
            "escape '\\'"
        )
        for name in {str(row[0]) for row in found} - {index.name for index in wanted}:
            connection.exec_driver_sql(f'drop index "{name}"')


async def make_in_schema(
    connection: Any, schema: str, service: Service, role: str = "", *, contract: bool = False
) -> None:
    """Make fields and indexes in a schema of PostgreSQL. No other run may do so at the same time.

    Args:
        connection: an asyncpg connection with the owner's role, on which each statement is a transaction of its own.
        schema: the schema.
        service: the service whose lists are made.
        role: the role with which the service logs in.
        contract: whether no other release runs any more, so that the parts that only its lists needed are dropped.
    """
    views = service.lists
    if views:
        await _together(connection, fields(views, schema, role))
        for statement in filling(service.name, views, schema):
            await _again(lambda told=statement: connection.execute(told))  # type: ignore[misc]
    wanted = indexes(service.name, views, schema)
    await make_indexes(connection, schema, wanted)
    if contract:
        there = {name for name, table, _ in await connection.fetch(FOUND, schema) if table == ENTITIES}
        lists = {name for name in there if name.startswith("list_")}
        await _drop(connection, schema, views, lists - {index.name for index in wanted})


def as_statements(address: DatabaseAddress, service: Service, role: str = "") -> list[str]:
    """Return the statements that an administrator may run instead, each by itself and outside a transaction."""
    schema, views = address.schema, service.lists
    made = [index.statement for index in indexes(service.name, views, schema)]
    return [*fields(views, schema, role), *filling(service.name, views, schema), *made]


async def _drop(connection: Any, schema: str, views: Sequence[ListView], names: set[str]) -> None:
    for name in sorted(names):
        await connection.execute(f'drop index concurrently if exists {schema}."{name}"')
    await _together(connection, only_fields(views, schema))
    kinds = {view.entity.kind for view in views}
    for row in await connection.fetch(f"select distinct kind from {schema}.list_fields"):
        if row["kind"] not in kinds:
            await _together(connection, nothing_of(row["kind"], schema))


async def _together(connection: Any, statements: Sequence[str]) -> None:
    async def run() -> None:
        async with connection.transaction():
            await connection.execute(_LOCK)
            for statement in statements:
                await connection.execute(statement)

    await _again(run)


async def _again(run: Callable[[], Awaitable[Any]]) -> Any:
    """Run a repeatable function, and run it again if it gets no lock or is undone because of a deadlock."""
    for turn in range(_TURNS):
        try:
            return await run()
        except _BUSY:
            if turn + 1 == _TURNS:
                raise
            await asyncio.sleep(0.2 * (turn + 1))
    return None
