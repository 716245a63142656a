"""A service's own tables in PostgreSQL, written in the transaction that commits its records.

The guarded statement comes first, so that no code of the user is called for a batch that another replica won. Then
rows, then hooks, then the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from choreography.authored import stack_of
from choreography.engine.beside import Beside, HookCall
from choreography.engine.operations import CommitResult, Committed, Conflict, Failed, Unknown
from choreography.errors import SelfCheckError
from choreography.own_tables import OwnTables, Projection, Takes
from choreography.stores.fitting import FoundTable, TableColumn, refuse_unfit
from choreography.stores.own_connection import NOT_PREPARED, OwnConnection
from choreography.stores.port import words_of
from choreography.stores.postgres_check import Fetch
from choreography.stores.projecting import by_table, postgres_statement, where_of

_SECONDS: Final = 5.0
"""How long the hooks of a batch may take together; the rows of the batch are locked for that time."""
_LONGEST_STACK: Final = 4096
_IDLE: Final = "25P03"
"""The server has ended a transaction that was idle for too long."""
_OTHERS_WROTE: Final = ("40001", "40P01", "55P03")
"""A serialization failure, a deadlock, a lock timeout."""
_SERVER: Final = ("08", "25006", "53", "57P", "58", "XX")
"""Prefixes of the codes of errors that are caused by the server and not by the statement."""

_TABLE: Final = """
    select c.oid::int8, (select array_agg(r) from unnest(array['select', 'insert', 'update', 'delete']) as r
        where not has_table_privilege(c.oid, r)) as lacks, has_schema_privilege(n.oid, 'usage') as usable
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')
"""
_COLUMNS: Final = """
    select attname, format_type(atttypid, atttypmod), format_type(atttypid, -1), not attnotnull,
        atthasdef or attidentity <> '', attgenerated <> '' or attidentity = 'a'
    from pg_attribute where attrelid = $1::int8 and attnum > 0 and not attisdropped order by attnum
"""
_INDEXES: Final = """
    select i.indisunique and i.indimmediate and i.indisvalid, array(select a.attname::text
        from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality as k(number, place)
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number order by k.place)
    from pg_index i where i.indrelid = $1::int8 and i.indpred is null and i.indexprs is null
"""
_LIMITS: Final = "select current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout')"


class PostgresTables:
    """The own tables of one service in one database."""

    def __init__(self, own: OwnTables, schema: str) -> None:
        self._own, self._schema = own, schema
        self._statements: dict[str, str] = {}

    async def check(self, fetch: Fetch) -> None:
        """Compare tables with the rows of projections, and find out whether a frozen replica would hold locks.

        Raises:
            SelfCheckError: a table does not fit; the message says what to change.
        """
        if not (self._own.projections or self._own.hooks):
            return
        [[idle, lock]] = await fetch(_LIMITS, ())
        for name, value in (("idle_in_transaction_session_timeout", idle), ("lock_timeout", lock)):
            if value == "0":
                raise SelfCheckError(
                    f"{self._own.name} writes tables of its own in transactions, and the role that it logs in with has "
                    f"no {name}: a replica that freezes would hold its locks for ever. Run `choreography migrate` with "
                    f"--app-role, or ALTER ROLE ... SET {name} = '5s'."
                )
        for projection in self._own.projections:
            await self._statement(projection, fetch)

    async def prepare(self, beside: Beside, fetch: Fetch) -> None:
        """Find out what must be known of the tables before a transaction begins, if they were not checked."""
        for one in beside.rows:
            await self._statement(one.projection, fetch)

    async def write(
        self, connection: OwnConnection, statement: str, columns: Sequence[Any], beside: Beside, fetch: Fetch
    ) -> CommitResult:
        """Write records, rows and the writes of hooks in one transaction.

        Raises:
            PostgresError: the records could not be written, so nothing was written.
        """
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.fetch(statement, *columns)
            trouble = await self._beside(connection, beside)
        except asyncpg.PostgresError:
            await transaction.rollback()
            raise
        if trouble is None:
            return await self._committed(connection, transaction)
        # If the server answers now, it was not the server that failed.
        if connection.is_closed():
            await fetch("select 1", ())
        else:
            await transaction.rollback()
        return trouble

    async def _committed(self, connection: OwnConnection, transaction: Any) -> CommitResult:
        try:
            await transaction.commit()
        except asyncpg.PostgresError as error:
            # Records have no constraint that is checked at the commit; a table of the user may have one.
            return self._judged(error, "a constraint that is checked at the commit", connection)
        if connection.status == "COMMIT":
            return Committed()
        # If a hook suppressed an error, the server answers the commit with a rollback, and no error.
        return Failed(
            "A statement of a hook failed in the transaction, and the hook went on as if nothing had happened. Let the "
            "error through, or run what may fail in connection.transaction() or begin_nested()."
        )

    async def _beside(self, connection: OwnConnection, beside: Beside) -> CommitResult | None:
        """Write rows and call hooks; return the commit result of a failure in them, or None."""
        where, clock = "", asyncio.get_running_loop().time
        began = clock()
        try:
            for projection, keys, rows in by_table(beside.rows).values():
                where = f"the projection {projection.name}"
                await connection.fetch(self._statements[projection.name], keys, rows)
            async with asyncio.timeout(_SECONDS):
                for call in beside.calls:
                    where = f"the hook {call.hook.name}"
                    with connection.lent():
                        await called(connection, call)
        except Exception as error:  # noqa: BLE001 - every error fails an event or is the server's trouble
            return self._judged(error, where, connection, late=clock() - began > _SECONDS)
        return None

    def _judged(self, error: Exception, where: str, connection: OwnConnection, *, late: bool = False) -> CommitResult:
        """Classify a failure: other transactions wrote meanwhile, the server is in trouble, or the event causes it."""
        state = _state_of(error)
        if state in NOT_PREPARED:
            raise asyncpg.PostgresError.new({"C": state, "M": words_of(error)}) from error
        if state in _OTHERS_WROTE:
            return Conflict(words_of(error))
        # A hook that blocks this process loses its connection sooner or later, each time it is called.
        late = late or isinstance(error, TimeoutError) or state == _IDLE
        if state.startswith(_SERVER) or (connection.is_closed() and not late):
            return Unknown(words_of(error), answered=bool(state))
        if late:
            error = TimeoutError(f"hooks may take {_SECONDS:.0f} s together, as rows are locked meanwhile")
        stack = stack_of(error)[-_LONGEST_STACK:]
        return Failed(f"{where[0].upper()}{where[1:]} failed in the transaction: {words_of(error)}"[:1000], stack)

    async def _statement(self, projection: Projection, fetch: Fetch) -> None:
        if projection.name in self._statements:
            return
        where = where_of(projection, self._schema)
        found = await _found_table(where, fetch)
        refuse_unfit(projection, where, found)
        if found is not None:
            types = {name: found.columns[name].type for name in projection.columns}
            self._statements[projection.name] = postgres_statement(
                where, projection.key, types, found.columns[projection.owner].base
            )


async def called(connection: OwnConnection, call: HookCall) -> None:
    """Call a hook with the connection in the form that it takes."""
    if call.hook.takes is Takes.ASYNCPG:
        await call.hook.function(connection, call.committing)
        return
    from choreography.stores.sqlalchemy_hooks import call_with_sqlalchemy  # noqa: PLC0415 - few services need it

    await call_with_sqlalchemy(connection, call)


async def _found_table(where: str, fetch: Fetch) -> FoundTable | None:
    schema, _, table = where.partition(".")
    tables = await fetch(_TABLE, (schema, table))
    if not tables:
        return None
    [[oid, lacks, usable]] = tables
    columns = {name: TableColumn(*about) for name, *about in await fetch(_COLUMNS, (oid,))}
    indexes = await fetch(_INDEXES, (oid,))
    return FoundTable(
        columns,
        [frozenset(names) for unique, names in indexes if unique],
        frozenset(names[0] for _, names in indexes if names),
        [*([] if usable else [f"usage of the schema {schema}"]), *(lacks or ())],
    )


def _state_of(error: BaseException) -> str:
    """Return the server's code of an error, also of one that SQLAlchemy has wrapped; empty if it has none."""
    for one in (error, getattr(error, "orig", None), error.__cause__):
        if state := getattr(one, "sqlstate", None):
            return str(state)
    return ""
