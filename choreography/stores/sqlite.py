"""Records in one SQLite file, in this process, so that a service on a laptop needs no server."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO, TypeVar
from urllib.parse import quote

from choreography.engine.beside import Beside
from choreography.engine.identity import Key
from choreography.engine.operations import (
    CommitResult,
    Committed,
    Conflict,
    Failed,
    Refused,
    Stored,
    Unknown,
    Values,
    Write,
)
from choreography.errors import SelfCheckError
from choreography.listing import ListRequest, ListView
from choreography.own_tables import OwnTables
from choreography.stores.address import DatabaseAddress
from choreography.stores.listed import Row, indexes, page, refuse_missing
from choreography.stores.migrations import NEEDED
from choreography.stores.port import Clock, words_of
from choreography.stores.sqlite_errors import cannot_open
from choreography.stores.sqlite_tables import BesideError, SqliteTables
from choreography.stores.tables import TABLES, Does, in_parts, may_exist, named, table_of

_OLDEST: Final = (3, 38)
"""The first version that supports ``->>`` on JSON, which the views use."""
_OFF: Final = 0
_REFUSALS: Final = (sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError, UnicodeError)
Result = TypeVar("Result")


class _ChangedError(Exception):
    """A row was not in the expected version."""


class SqliteStore:
    """One file, one connection, one thread: a commit waits for the disk, and the event loop does not wait for it."""

    snapshot_reads = True
    unsafe = "It is spoken to directly, so this is a defect of this library: report it."

    def __init__(
        self, address: DatabaseAddress, service: str, own: OwnTables | None = None, lists: Sequence[ListView] = ()
    ) -> None:
        self._file, self._service, self._lists = Path(address.file), service, lists
        self._tables = SqliteTables(own or OwnTables())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None
        self._lock: TextIO | None = None

    async def read(self, keys: Sequence[Key], trace: str = "") -> Values:
        """Read keys in one transaction."""
        del trace
        try:
            return await self._run(lambda: Values({key: stored for key in keys if (stored := self._row(key))}))
        except sqlite3.Error:
            return Values({}, frozenset(keys))

    async def confirm(self, key: Key, trace: str = "") -> Stored | Unknown | None:
        """Read one key."""
        del trace
        try:
            return await self._run(lambda: self._row(key))
        except sqlite3.Error as error:
            return Unknown(words_of(error))

    async def commit(self, writes: Sequence[Write], trace: str = "", beside: Beside | None = None) -> CommitResult:
        """Write everything in one transaction, including the service's own tables."""
        del trace
        try:
            await self._run(lambda: self._write(writes, beside))
        except BesideError as error:
            return Failed(str(error), error.stack)
        except _ChangedError as error:
            return Conflict(f"changed meanwhile: {error}")
        except _REFUSALS as error:
            return Refused(words_of(error))
        except sqlite3.Error as error:
            return Unknown(words_of(error), answered=True)
        return Committed()

    async def page(self, asked: ListRequest, trace: str = "") -> Sequence[Row] | Unknown:
        """Read a page of a list from its index."""
        del trace
        statement, arguments = page(self._service, asked)
        try:
            return await self._run(lambda: [Row(*row) for row in self._open().execute(statement, arguments)])
        except (sqlite3.Error, UnicodeError) as error:
            return Unknown(words_of(error))

    async def clock(self, probe: Key) -> Clock | None:
        """Return the time of this process: there is no other clock."""
        del probe
        return Clock(datetime.now(UTC))

    async def check(self) -> None:
        """Open the file, and make sure that no other process uses it.

        Raises:
            SelfCheckError: the file is missing, belongs to another release, is open elsewhere, or may lose commits.
        """
        if sqlite3.sqlite_version_info < _OLDEST:
            raise SelfCheckError(
                f"This Python has SQLite {sqlite3.sqlite_version}, and {'.'.join(map(str, _OLDEST))} is the oldest "
                "that will do. Use a newer Python, or PostgreSQL."
            )
        try:
            self._refuse_company()
            synchronous, found = await self._run(self._settings)
        except (sqlite3.Error, OSError) as error:
            raise SelfCheckError(cannot_open(self._file, error)) from error
        if synchronous == _OFF:
            raise SelfCheckError(
                "SQLite runs with synchronous=OFF, so a crash may lose what it has committed: events would be done "
                "twice, or never. Remove that setting."
            )
        if found != NEEDED:
            raise SelfCheckError(
                f"The tables in {self._file} are at migration {found or 'none'}, and this release needs {NEEDED}. Run "
                "`choreography migrate` before this release starts, or deploy the release that they belong to."
            )
        await self._run(lambda: self._tables.check(self._open()))
        wanted = indexes(self._service, self._lists)
        refuse_missing(wanted, await self._run(self._indexes), self._lists)

    async def clean(self, table: str, most: int) -> int:
        """Delete expired rows. Return how many there were."""
        return await self._run(lambda: self._clean(table, most))

    async def overdue(self) -> float:
        """Return how many seconds ago the oldest record expired; 0 if none has expired."""
        every = " union all ".join(f"select min(expires_at) as at from {table} where service = :me" for table in TABLES)
        asked = (f"select min(at) from ({every})", {"me": self._service})
        [oldest] = await self._run(lambda: self._open().execute(*asked).fetchone())
        return max(0.0, time.time() - oldest) if oldest is not None else 0.0

    async def close(self) -> None:
        """Close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _refuse_company(self) -> None:
        lock = self._file.with_name(f"{self._file.name}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise SelfCheckError(
                f"Another process has {self._file} open, and SQLite serves one process of a service. Run one replica, "
                "or use PostgreSQL."
            ) from error
        self._lock = lock

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            # The URI keeps SQLite from creating an empty file if the file is missing.
            connection = sqlite3.connect(f"file:{quote(str(self._file))}?mode=rw", uri=True, isolation_level=None)
            try:
                connection.execute("pragma journal_mode = wal")
                connection.execute("pragma synchronous = full")
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._lock is not None:
            self._lock.close()

    def _settings(self) -> tuple[int, str]:
        [synchronous] = self._open().execute("pragma synchronous").fetchone()
        table = "select 1 from sqlite_master where name = 'alembic_version'"
        if self._open().execute(table).fetchone() is None:
            return synchronous, ""
        row = self._open().execute("select version_num from alembic_version").fetchone()
        return synchronous, str(row[0]) if row else ""

    def _indexes(self) -> list[str]:
        return [name for (name,) in self._open().execute("select name from sqlite_master where type = 'index'")]

    def _row(self, key: Key) -> Stored | None:
        if not may_exist(key):
            return None
        row = (
            self._open()
            .execute(f"select record, etag from {table_of(key)} where service = ? and kind = ? and id = ?", key)
            .fetchone()
        )
        return Stored(row[0], str(row[1])) if row else None

    def _write(self, writes: Iterable[Write], beside: Beside | None) -> None:
        connection = self._open()
        connection.execute("begin immediate")
        try:
            for part, group in in_parts(writes).items():
                for write in group:
                    if connection.execute(*_statement(part.table, part.does, write)).rowcount == 0:
                        self._missed(part.does, write)
            if beside is not None:
                self._tables.write(connection, beside)
            connection.execute("commit")
        except BaseException:
            self._undo(connection)
            raise

    def _undo(self, connection: sqlite3.Connection) -> None:
        """Roll back a failed transaction. If that fails too, as with a full disk, open the connection anew."""
        try:
            if connection.in_transaction:
                connection.execute("rollback")
        except sqlite3.Error:
            self._connection = None
            connection.close()

    @staticmethod
    def _missed(does: Does, write: Write) -> None:
        if does is not Does.DROP:
            raise _ChangedError(named(write.key))

    def _clean(self, table: str, most: int) -> int:
        over = "expires_at < ? and service = ? order by expires_at limit ?"
        statement = (
            f"delete from {table} where (service, kind, id) in (select service, kind, id from {table} where {over})"
        )
        return self._open().execute(statement, (time.time(), self._service, most)).rowcount


def _statement(table: str, does: Does, write: Write) -> tuple[str, tuple[object, ...]]:
    now = time.time()
    expires = now + write.ttl_seconds if write.ttl_seconds is not None else None
    same = "where service = ? and kind = ? and id = ?"
    match does:
        case Does.BEGIN | Does.PUT:
            columns = "service, kind, id, etag, record, changed_at, expires_at"
            insert = f"insert into {table} ({columns}) values (?, ?, ?, ?, ?, ?, ?)"
            values = (*write.key, time.time_ns() // 1000, write.value, now, expires)
            if does is Does.BEGIN:
                return f"{insert} on conflict do nothing", values
            over = "etag = etag + 1, record = excluded.record, changed_at = excluded.changed_at"
            return f"{insert} on conflict do update set {over}, expires_at = excluded.expires_at", values
        case Does.CHANGE:
            update = (
                f"update {table} set etag = etag + 1, record = ?, changed_at = ?, expires_at = ? {same} and etag = ?"
            )
            return update, (write.value, now, expires, *write.key, write.etag)
        case Does.STRIKE:
            return f"delete from {table} {same} and etag = ?", (*write.key, write.etag)
        case Does.DROP:
            return f"delete from {table} {same}", tuple(write.key)
