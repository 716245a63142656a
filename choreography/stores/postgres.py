"""Records in PostgreSQL with a direct connection: one statement reads a batch, one statement writes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import asyncpg
import structlog

from choreography.engine.beside import Beside
from choreography.engine.identity import Key
from choreography.engine.operations import (
    CommitResult,
    Committed,
    Conflict,
    Refused,
    Stored,
    Unknown,
    Values,
    Write,
)
from choreography.listing import ListRequest, ListView
from choreography.own_tables import OwnTables
from choreography.stores.address import DatabaseAddress
from choreography.stores.connections import SECONDS, Connections
from choreography.stores.indexes import FOUND
from choreography.stores.listed import Row, indexes, page, refuse_missing
from choreography.stores.own_connection import NOT_PREPARED, OwnConnection
from choreography.stores.port import Clock, words_of
from choreography.stores.postgres_check import NO_ANSWER, check_server
from choreography.stores.postgres_tables import PostgresTables
from choreography.stores.statements import reading, writing
from choreography.stores.tables import TABLES, Does, TablePart, in_parts, may_exist, table_of

_TROUBLE: Final = (asyncpg.PostgresError, *NO_ANSWER)
_CONFLICTS: Final = ("CHG01", "23505", "40001", "40P01")
"""The library's own code, an existing row, a serialization failure, a deadlock: other transactions wrote meanwhile."""
_REFUSALS: Final = ("22", "23", "54")
"""Classes of errors that are caused by the request: data, constraints, limits."""
log = structlog.get_logger()
Result = TypeVar("Result")


class PostgresStore:
    """The schema of one service in one database.

    Every read and every write is one statement and one transaction of its own, so a replica that freezes holds no lock.
    """

    snapshot_reads = True
    unsafe = (
        "It is spoken to directly, so this is a defect of this library or of what stands between: please report it."
    )

    def __init__(
        self, address: DatabaseAddress, service: str, own: OwnTables | None = None, lists: Sequence[ListView] = ()
    ) -> None:
        self._address, self._service, self._lists = address, service, lists
        self._tables = PostgresTables(own or OwnTables(), address.schema)
        self._connections = Connections(address)
        self._retired: Connections | None = None
        self._prepares = True

    async def read(self, keys: Sequence[Key], trace: str = "") -> Values:
        """Read keys in one snapshot. A failed statement is a failed read of every key."""
        del trace
        places: dict[str, list[tuple[int, Key]]] = {}
        for place, key in enumerate(keys):
            if may_exist(key, nul=False):
                places.setdefault(table_of(key), []).append((place, key))
        if not places:
            return Values({})
        tables = tuple(sorted(places))
        columns: list[Any] = [self._service]
        for table in tables:
            found = places[table]
            columns += [[key.kind for _, key in found], [key.logical_id for _, key in found], [at for at, _ in found]]
        try:
            rows = await self._fetch(reading(self._address.schema, tables), columns)
        except _TROUBLE as error:
            log.warning("the store could not be read", why=words_of(error))
            return Values({}, frozenset(keys))
        return Values({keys[place]: Stored(record, str(etag)) for place, etag, record in rows})

    async def confirm(self, key: Key, trace: str = "") -> Stored | Unknown | None:
        """Read one key."""
        values = await self.read((key,), trace)
        return Unknown("the read failed") if values.failed else values.found.get(key)

    async def commit(self, writes: Sequence[Write], trace: str = "", beside: Beside | None = None) -> CommitResult:
        """Write everything in one statement. The service's own tables follow it in the same transaction."""
        del trace
        parts = in_parts(writes)
        columns: list[Any] = [self._service]
        for part, group in parts.items():
            columns += _columns(part, group)
        statement = writing(self._address.schema, tuple(parts))
        try:
            if beside is not None:
                return await self._write_beside(statement, columns, beside)
            await self._fetch(statement, columns)
        except asyncpg.PostgresError as error:
            return _proven(error)
        except (UnicodeEncodeError, asyncpg.DataError, OverflowError) as error:
            return Refused(words_of(error))
        except _TROUBLE as error:
            return Unknown(words_of(error))
        return Committed()

    async def page(self, asked: ListRequest, trace: str = "") -> Sequence[Row] | Unknown:
        """Read a page of a list from its index."""
        del trace
        statement, arguments = page(self._service, asked, self._address.schema)
        try:
            return [Row(*row) for row in await self._fetch(statement, arguments)]
        except _TROUBLE as error:
            log.warning("a list could not be read", why=words_of(error))
            return Unknown(words_of(error))

    async def clock(self, probe: Key) -> Clock | None:
        """Ask the server for the time."""
        del probe
        try:
            [[now]] = await self._fetch("select clock_timestamp()", ())
        except _TROUBLE:
            return None
        return Clock(now)

    async def check(self) -> None:
        """Wait for the server, then check its tables, and that its settings lose no commits.

        Raises:
            SelfCheckError: it may lose commits, or its tables belong to another release.
        """
        await check_server(self._address, self._fetch)
        await self._tables.check(self._fetch)
        wanted = indexes(self._service, self._lists, self._address.schema)
        if wanted:
            found = await self._fetch(FOUND, (self._address.schema,))
            refuse_missing(wanted, [name for name, _, complete in found if complete], self._lists)

    async def clean(self, table: str, most: int) -> int:
        """Delete expired rows, unless another replica is doing so. Return how many there were."""
        schema = self._address.schema
        rows = await self._fetch(
            "with held as materialized (select pg_try_advisory_xact_lock(hashtext($2)) as ok), "
            f"gone as (select service, kind, id from {schema}.{table} where expires_at < now() and service = $1 "
            "and (select ok from held) order by expires_at limit $3 for update skip locked) "
            f"delete from {schema}.{table} t using gone g "
            "where t.service = g.service and t.kind = g.kind and t.id = g.id returning 1",
            (self._service, f"{schema}.{table}", most),
        )
        return len(rows)

    async def claim(self, kind: str, most: int, seconds: float) -> list[tuple[str, str, str]]:
        """Claim notes of a kind that no replica has claimed for so long; return id, version and text of each."""
        notes = f"{self._address.schema}.note_records"
        rows = await self._fetch(
            f"with due as (select id from {notes} where service = $1 and kind = $2 "
            "and (etag = 0 or changed_at < now() - make_interval(secs => $3)) limit $4 for update skip locked) "
            f"update {notes} n set etag = n.etag + 1, changed_at = now() from due "
            "where n.service = $1 and n.kind = $2 and n.id = due.id returning n.id, n.etag, n.record",
            (self._service, kind, seconds, most),
        )
        return [(ident, str(etag), record) for ident, etag, record in rows]

    async def overdue(self) -> float:
        """Return how many seconds ago the oldest record expired; 0 if none has expired."""
        each = (f"(select min(expires_at) from {self._address.schema}.{one} where service = $1)" for one in TABLES)
        oldest = f"select extract(epoch from now() - least({', '.join(each)}))::float8"
        [[seconds]] = await self._fetch(oldest, (self._service,))
        return max(0.0, seconds or 0.0)

    async def close(self) -> None:
        """Close every connection; statements under way end with it."""
        for connections in (self._connections, self._retired):
            if connections is not None:
                connections.end_all()

    async def _write_beside(self, statement: str, columns: Sequence[Any], beside: Beside) -> CommitResult:
        await self._tables.prepare(beside, self._fetch)

        async def write(connection: OwnConnection, *, prepares: bool) -> CommitResult:
            del prepares  # in a transaction a pooler sends each message to the same server
            return await self._tables.write(connection, statement, columns, beside, self._fetch)

        return await self._prepared_or_not(write)

    async def _fetch(self, statement: str, columns: Sequence[Any]) -> list[asyncpg.Record]:
        return await self._prepared_or_not(partial(_rows, statement=statement, columns=columns))

    async def _prepared_or_not(self, run: Callable[..., Awaitable[Result]]) -> Result:
        prepares = self._prepares
        try:
            return await self._connections.use(partial(run, prepares=prepares))
        except asyncpg.PostgresError as error:
            if error.sqlstate not in NOT_PREPARED or not prepares:
                raise
        # A statement that was not found was not run, and its transaction is undone.
        self._stop_preparing()
        return await self._connections.use(partial(run, prepares=False))

    def _stop_preparing(self) -> None:
        if self._prepares:
            log.warning("something before PostgreSQL, such as pgbouncer, loses prepared statements; none are used now")
            self._connections.retire()
            self._prepares, self._retired = False, self._connections
            self._connections = Connections(self._address, prepare=False)


async def _rows(connection: OwnConnection, statement: str, columns: Sequence[Any], *, prepares: bool) -> Any:
    if prepares:
        return await connection.fetch(statement, *columns, timeout=SECONDS)
    # Without prepared statements a pooler may send each message to another server, except in a transaction.
    async with connection.transaction():
        return await connection.fetch(statement, *columns, timeout=SECONDS)


def _columns(part: TablePart, group: Sequence[Write]) -> list[Any]:
    columns: list[Any] = [[write.key.kind for write in group], [write.key.logical_id for write in group]]
    if part.does in (Does.BEGIN, Does.PUT, Does.CHANGE):
        columns += [[write.value for write in group], [write.ttl_seconds for write in group]]
    if part.does in (Does.CHANGE, Does.STRIKE):
        columns.append([_version(write.etag) for write in group])
    return columns


def _version(etag: str | None) -> int:
    """Return an ETag of this store as a number; for an ETag of another store a number that no row has."""
    return int(etag) if etag and etag.isdecimal() and len(etag) < 19 else -1


def _proven(error: asyncpg.PostgresError) -> CommitResult:
    """Classify an error of the server by what it proves. Every error undoes the whole statement."""
    state = error.sqlstate or ""
    if state in _CONFLICTS:
        return Conflict(str(error))
    if state[:2] in _REFUSALS:
        return Refused(words_of(error))
    return Unknown(words_of(error), answered=state[:2] != "08")
