"""Indexes that are made while services write, so that no release has to wait for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from choreography.stores.tables import OUTCOMES

FOUND: Final = (
    "select c.relname, t.relname, i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid "
    "join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace where n.nspname = $1"
)
"""Queries all indexes in a schema of PostgreSQL: the name, the table, and whether the index is complete."""


class Index(NamedTuple):
    """One index, with the statement that makes it."""

    name: str
    statement: str


def standing(schema: str) -> list[Index]:
    """Return the indexes of every schema: one for the latest outcomes, which are queried most."""
    name = "outcomes_by_time"
    return [Index(name, f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {schema}.{OUTCOMES} (changed_at)")]


async def make_indexes(connection: Any, schema: str, wanted: Iterable[Index]) -> None:
    """Make the missing indexes. An index that an earlier run left unfinished is removed first.

    Args:
        connection: an asyncpg connection on which each statement is a transaction of its own.
        schema: the schema of the service.
        wanted: the indexes.
    """
    complete = {name: valid for name, _, valid in await connection.fetch(FOUND, schema)}
    for index in wanted:
        if complete.get(index.name) is False:
            # An unfinished index is updated by every write and used by no read.
            await connection.execute(f'drop index concurrently if exists {schema}."{index.name}"')
        if not complete.get(index.name):
            await connection.execute(index.statement)
