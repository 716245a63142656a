"""Whether the outboxes of a system are empty: their events are under way although no stream has them yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import psycopg
from psycopg import sql


class Relayed:
    """The outboxes of a system, one table for each service."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[bool]], tables: Sequence[str]) -> None:
        self._connection = connection
        rows = [sql.SQL("EXISTS (SELECT FROM {})").format(sql.Identifier(table)) for table in tables]
        self._any = sql.SQL("SELECT ") + sql.SQL(" OR ").join(rows)

    @classmethod
    async def open(cls, url: str, tables: Sequence[str]) -> Self:
        """Connect."""
        return cls(await psycopg.AsyncConnection.connect(url, autocommit=True), tables)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def all(self) -> bool:
        """Tell whether no event waits to be published."""
        row = await (await self._connection.execute(self._any)).fetchone()
        return row is not None and not row[0]
