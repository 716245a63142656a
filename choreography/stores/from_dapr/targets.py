"""The targets of moved records: an existing row must hold the same record, and rows are counted after each batch."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import asyncpg

from choreography.stores.address import DatabaseAddress
from choreography.stores.from_dapr.recovering import New
from choreography.stores.from_dapr.sources import OURS, MoveError
from choreography.stores.tables import named, table_of


class Target(Protocol):
    """The tables of one service."""

    async def write(self, rows: Sequence[New]) -> None:
        """Write the rows that do not exist yet, all of them or none.

        Raises:
            MoveError: a row exists and holds a different record.
        """
        ...


@asynccontextmanager
async def target_at(address: DatabaseAddress) -> AsyncIterator[Target]:
    """Open the tables of a service, which must not run during the move."""
    if address.is_file:
        file = Path(address.file)
        with file.with_name(f"{file.name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise MoveError(f"A service has {file} open. Stop it, then run this again.") from error
            with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, isolation_level=None)) as opened:
                yield _File(opened)
        return
    connection = await asyncpg.connect(
        **address.arguments, statement_cache_size=0, server_settings={"application_name": OURS}
    )
    try:
        yield _Schema(connection, address.schema)
    finally:
        await connection.close()


class _Schema:
    def __init__(self, connection: Any, schema: str) -> None:
        self._connection, self._schema = connection, schema

    async def write(self, rows: Sequence[New]) -> None:
        async with self._connection.transaction():
            for table, group in _by_table(rows).items():
                columns = [
                    [row.key.service for row in group],
                    [row.key.kind for row in group],
                    [row.key.logical_id for row in group],
                    [row.record for row in group],
                    [_moment(row.expires) for row in group],
                    [_moment(row.changed) for row in group],
                ]
                given = (
                    "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[]) "
                    "as u(service, kind, id, record, expires_at, changed_at)"
                )
                await self._connection.execute(
                    f"insert into {self._schema}.{table} (service, kind, id, etag, record, expires_at, changed_at) "
                    "select u.service, u.kind, u.id, (extract(epoch from clock_timestamp()) * 1000000)::bigint, "
                    f"u.record, u.expires_at, coalesce(u.changed_at, now()) from {given} on conflict do nothing",
                    *columns,
                )
                there = await self._connection.fetch(
                    f"select u.kind, u.id from {given} join {self._schema}.{table} t on t.service = u.service "
                    "and t.kind = u.kind and t.id = u.id and t.record = u.record",
                    *columns,
                )
                _refuse_others(group, {(kind, ident) for kind, ident in there})


class _File:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def write(self, rows: Sequence[New]) -> None:
        self._connection.execute("begin immediate")
        try:
            for table, group in _by_table(rows).items():
                self._connection.executemany(
                    f"insert into {table} (service, kind, id, etag, record, expires_at, changed_at) "
                    "values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
                    (
                        (*row.key, time.time_ns() // 1000, row.record, row.expires, row.changed or time.time())
                        for row in group
                    ),
                )
                same = f"select 1 from {table} where service = ? and kind = ? and id = ? and record = ?"
                there = {
                    (row.key.kind, row.key.logical_id)
                    for row in group
                    if self._connection.execute(same, (*row.key, row.record)).fetchone()
                }
                _refuse_others(group, there)
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise


def _refuse_others(group: Sequence[New], there: set[tuple[str, str]]) -> None:
    others = [row.key for row in group if (row.key.kind, row.key.logical_id) not in there]
    if others:
        raise MoveError(
            f"{len(others)} records are in the tables of {others[0].service} already and say something else, such as "
            f"{named(others[0])}: the service has worked with its own tables since. Nothing was overwritten; what is "
            "in Dapr's store is older than that."
        )


def _by_table(rows: Sequence[New]) -> dict[str, list[New]]:
    groups: dict[str, list[New]] = {}
    for row in rows:
        groups.setdefault(table_of(row.key), []).append(row)
    return groups


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
