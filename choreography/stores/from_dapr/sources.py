"""The sources of records: the table of Dapr's component in PostgreSQL or SQLite, or a file of rows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, urlsplit

import asyncpg
import orjson

from choreography.errors import ChoreographyError
from choreography.stores.from_dapr.recovering import Old, text_of

OURS: Final = "choreography migrate"
"""The application name by which PostgreSQL knows the sessions of the move itself."""
_PAGE: Final = 1000
_TABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class MoveError(ChoreographyError):
    """Records cannot be moved; the message says why, and what to do."""


class RecordSource(Protocol):
    """A place in which Dapr kept records."""

    def opened(self) -> Any:
        """Return a context in which rows can be read; it refuses to begin while a process may write them."""
        ...

    def rows(self, service: str) -> AsyncIterator[Old]:
        """Yield all rows of a service, in one snapshot."""
        ...


def source_at(url: str, table: str, service: str) -> RecordSource:
    """Return the source at an address: ``postgresql://...``, ``sqlite:///state/{service}.db`` or a ``.jsonl`` file.

    Raises:
        MoveError: the source cannot be read.
    """
    url = url.replace("{service}", service)
    if table and not _TABLE.fullmatch(table):
        raise MoveError(f"--dapr-table says {table!r}, which is no name of a table. Write that of the component's.")
    scheme = urlsplit(url).scheme
    if scheme in ("postgresql", "postgres"):
        return _PostgresTable(url, table or "choreography_state")
    path = Path(unquote(urlsplit(url).path.removeprefix("/")) if scheme == "sqlite" else url)
    if scheme not in ("", "sqlite") or not path.exists():
        raise MoveError(
            f"--from-dapr names {url.partition('@')[2] or url!r}, where nothing can be read. Write postgresql://..., "
            "sqlite:///folder/{service}.db, or a file with one JSON object for each row (docs/database.md)."
        )
    return _SqliteTable(path, table or "state") if scheme == "sqlite" else _Lines(path)


class _PostgresTable:
    def __init__(self, url: str, table: str) -> None:
        self._url, self._table = url, table
        self._connection: Any = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        self._connection = await asyncpg.connect(
            self._url, statement_cache_size=0, server_settings={"application_name": OURS}
        )
        try:
            others = await self._connection.fetchval(
                "select count(*) from pg_stat_activity where datname = current_database() and usename = current_user "
                "and application_name <> $1 and backend_type = 'client backend'",
                OURS,
            )
            if others:
                raise MoveError(
                    f"{others} other sessions with the same role are open on the database that Dapr kept records in, "
                    "so somebody may still write there, and what is written later would be lost. Stop every service "
                    "and its sidecar, then run this again."
                )
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                yield
        finally:
            await self._connection.close()

    async def rows(self, service: str) -> AsyncIterator[Old]:
        last = ""
        while True:
            page = await self._connection.fetch(
                "select key, value, extract(epoch from expires_at)::float8, "
                f"extract(epoch from coalesce(updated_at, created_at))::float8 from {self._table} "
                "where key > $1 and starts_with(split_part(key, '||', 2), $2) order by key limit $3",
                *(last, f"{service}.", _PAGE),
            )
            for key, value, expires, changed in page:
                yield Old(key, text_of(value), expires, changed)
            if len(page) < _PAGE:
                return
            last = page[-1][0]


class _SqliteTable:
    def __init__(self, file: Path, table: str) -> None:
        self._file, self._table = file, table
        self._connection: sqlite3.Connection | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        file = f"file:{quote(str(self._file))}?mode=rw"
        with closing(sqlite3.connect(file, uri=True, isolation_level=None, timeout=2)) as connection:
            try:
                # Refused while another process has the file open, even if that process is idle.
                connection.execute("pragma locking_mode = exclusive")
                connection.execute("begin exclusive")
            except sqlite3.OperationalError as error:
                raise MoveError(
                    f"Another process has {self._file} open ({error}), and what it writes later would be lost. Stop "
                    "the service and its sidecar, then run this again."
                ) from error
            self._connection = connection
            yield
            connection.execute("rollback")

    async def rows(self, service: str) -> AsyncIterator[Old]:
        if self._connection is None:
            raise RuntimeError("the file is not open")
        asked = f"select key, value, expiration_time, update_time from {self._table} where instr(key, ?) > 0"
        for key, value, expires, changed in self._connection.execute(asked, (f"||{service}.",)):
            yield Old(key, text_of(value), _seconds(expires), _seconds(changed))


class _Lines:
    """A file that any database can export: each line is ``{"key": "", "value": "", "expires": "2027-01-01 11:33"}``."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def rows(self, service: str) -> AsyncIterator[Old]:
        with self._file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                row = self._row(number, line)
                if row is not None and row.key.rpartition("||")[2].startswith(f"{service}."):
                    yield row

    def _row(self, number: int, line: bytes) -> Old | None:
        if not line.strip():
            return None
        try:
            raw = orjson.loads(line)
            return Old(raw["key"], text_of(raw["value"]), _seconds(raw.get("expires")), _seconds(raw.get("changed")))
        except (orjson.JSONDecodeError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise MoveError(
                f"Line {number} of {self._file} is no row ({error}). Each line is a JSON object with the key, the "
                "value and when it expires; docs/database.md shows the statement that writes them."
            ) from error


def _seconds(moment: Any) -> float | None:
    """Read a time in the form in which databases write it, in UTC."""
    if moment is None:
        return None
    if isinstance(moment, (int, float)):
        return float(moment)
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
