"""A service's own tables in its SQLite file, written in the transaction that commits its records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from choreography.authored import stack_of
from choreography.engine.beside import Beside, HookCall
from choreography.own_tables import OwnTables
from choreography.stores.fitting import FoundTable, TableColumn, refuse_unfit
from choreography.stores.projecting import by_table, sqlite_statements, where_of

_LONGEST_STACK: Final = 4096
_TROUBLE: Final = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
)
"""Errors of the file and the disk, not of a statement."""


class BesideError(Exception):
    """A projection or a hook of a service failed.

    Attributes:
        stack: the stack of the failure.
    """

    def __init__(self, where: str, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        super().__init__(f"{where[0].upper()}{where[1:]} failed in the transaction: {said}"[:1000])
        self.stack = stack_of(error)[-_LONGEST_STACK:]


class SqliteTables:
    """The own tables of one service in one file. All of it runs in the thread that owns the file."""

    def __init__(self, own: OwnTables) -> None:
        self._own = own
        self._engine: Any = None

    def check(self, connection: sqlite3.Connection) -> None:
        """Compare tables with the rows of projections.

        Raises:
            SelfCheckError: a table does not fit; the message says what to change.
        """
        for projection in self._own.projections:
            table = where_of(projection, "")
            refuse_unfit(projection, table, _found_table(connection, table))

    def write(self, connection: sqlite3.Connection, beside: Beside) -> None:
        """Write rows and call hooks in the open transaction.

        Raises:
            BesideError: a projection or a hook failed on an event.
            Error: the file cannot be written now.
        """
        where = ""
        try:
            for projection, keys, rows in by_table(beside.rows).values():
                where = f"the projection {projection.name}"
                for statement in sqlite_statements(where_of(projection, ""), projection.key, projection.columns):
                    connection.execute(statement, (keys, rows))
            for call in beside.calls:
                where = f"the hook {call.hook.name}"
                self._call(connection, call)
        except Exception as error:
            original = getattr(error, "orig", None) or error
            if isinstance(original, sqlite3.Error) and _code_of(original) in _TROUBLE:
                raise original from error
            raise BesideError(where, error) from error

    def _call(self, connection: sqlite3.Connection, call: HookCall) -> None:
        """Call a hook with a connection of SQLAlchemy, in a savepoint of its own."""
        if self._engine is None:
            from sqlalchemy import create_engine  # noqa: PLC0415 - few services need it
            from sqlalchemy.pool import StaticPool  # noqa: PLC0415

            self._engine = create_engine("sqlite://", creator=lambda: _Lent(connection), poolclass=StaticPool)
        with _guarded(connection):
            connection.execute("savepoint hook")
            with self._engine.connect() as lent:
                lent.begin()
                call.hook.function(lent, call.committing)
                if lent.in_transaction():
                    lent.commit()
            connection.execute("release hook")


def _code_of(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


class _Lent:
    """A connection for SQLAlchemy, whose commits and rollbacks affect only a savepoint inside the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        """Keep the changes since the last savepoint. They are committed with the records."""
        self._connection.execute("release hook")
        self._connection.execute("savepoint hook")

    def rollback(self) -> None:
        """Undo the changes since the last savepoint."""
        self._connection.execute("rollback to hook")

    def close(self) -> None:
        """Do nothing: the file stays open."""


@contextmanager
def _guarded(connection: sqlite3.Connection) -> Iterator[None]:
    """Refuse, inside this context, every statement that would end the transaction."""

    def allows(action: int, *_: str | None) -> int:
        return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION else sqlite3.SQLITE_OK

    connection.set_authorizer(allows)
    try:
        yield
    finally:
        connection.set_authorizer(None)


def _found_table(connection: sqlite3.Connection, table: str) -> FoundTable | None:
    columns = {
        name: TableColumn("", "", not required, filled=default is not None, computed=hidden in (2, 3))
        for _, name, _, required, default, _, hidden in connection.execute(f'pragma table_xinfo("{table}")')
        if hidden != 1
    }
    if not columns:
        return None
    placed = [(place, name) for _, name, _, _, _, place in connection.execute(f'pragma table_info("{table}")') if place]
    primary = [name for _, name in sorted(placed)]
    indexes = [(True, primary)] if primary else []
    for _, name, unique, _, partial in connection.execute(f'pragma index_list("{table}")').fetchall():
        parts = [one[2] for one in connection.execute(f'pragma index_info("{name}")')]
        if not partial and all(parts):
            indexes.append((bool(unique), parts))
    return FoundTable(
        columns,
        [frozenset(parts) for unique, parts in indexes if unique],
        frozenset(parts[0] for _, parts in indexes),
    )
