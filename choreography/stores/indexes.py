"""Indexes for the questions that people ask. They are made while services write, so that no release waits for them."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from choreography.stores.tables import OUTCOMES


class Index(NamedTuple):
    """One index of a table.

    Attributes:
        name: its name in the schema.
        table: the table that it is for.
        columns: its columns, or expressions in parentheses.
    """

    name: str
    table: str
    columns: str

    def statement(self, schema: str) -> str:
        """Return the statement that makes it without keeping anybody from writing. It runs outside of transactions."""
        return f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {self.name} ON {schema}.{self.table} ({self.columns})"


STANDING: Final = (Index("outcomes_by_time", OUTCOMES, "changed_at"),)
"""``order by at desc limit 20``: a service appends to it, and what was last is asked for most."""
_INVALID: Final = (
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n "
    "ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND n.nspname = :schema"
)


async def make_indexes(connection: AsyncConnection, schema: str) -> None:
    """Make the indexes that are not there. What an earlier run left behind unfinished is removed first.

    Args:
        connection: one on which each statement is a transaction of its own.
        schema: the schema of the service.
    """
    unfinished = (await connection.execute(text(_INVALID), {"schema": schema})).scalars().all()
    for index in STANDING:
        if index.name in unfinished:
            await connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {schema}.{index.name}"))
        await connection.execute(text(index.statement(schema)))
