"""Bringing the tables of services to the migration that this release needs, and their views to its entities."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from choreography.errors import ChoreographyError
from choreography.service import Service
from choreography.stores.address import DatabaseAddress
from choreography.stores.indexes import make_indexes, standing
from choreography.stores.list_tables import as_statements, make_in_file, make_in_schema
from choreography.stores.logins import Login
from choreography.stores.postgres_check import NO_ANSWER, untrusted
from choreography.stores.roles import grants, settings_of
from choreography.stores.views import views

_NOT_ALLOWED = "42501"
_NEEDED_BY_OTHERS = "2BP01"
_LONGEST_TURN = 600.0
"""Seconds that another run may take: making an index over many rows is slow."""
_SCRIPTS = Path(__file__).parent / "migrations"


class WantedTables(NamedTuple):
    """The tables of one service.

    Attributes:
        service: the service that uses the tables.
        address: the database and the schema, with a role that owns them.
        role: the role with which the service logs in; if empty, nothing is granted.
        login: the login to make, or whose password to set, before rights are granted; if None, no login is made.
        contract: whether no other release runs any more, so that the parts that only its lists needed are dropped.
    """

    service: Service
    address: DatabaseAddress
    role: str = ""
    login: Login | None = None
    contract: bool = False


class MigrationError(ChoreographyError):
    """The tables of a service could not be made or changed."""


class NotThereError(MigrationError):
    """The database did not answer, perhaps because it is still starting."""


def migrate(wanted: WantedTables, *, reporting: str = "") -> list[str]:
    """Make or change the tables of a service. Concurrent runs take turns.

    Args:
        wanted: the tables.
        reporting: a role that may read the views; empty for none.

    Returns:
        Sentences that say what an administrator must still do.

    Raises:
        MigrationError: the database cannot be reached, or the role lacks a right.
    """
    try:
        if wanted.address.is_file:
            _migrate_file(wanted)
            return []
        return asyncio.run(_migrate_schema(wanted, reporting))
    except (*NO_ANSWER, SQLAlchemyError, CommandError, ValueError, asyncpg.PostgresError) as error:
        kind = NotThereError if _is_away(error) else MigrationError
        raise kind(_why(error)) from error


def _why(error: Exception) -> str:
    """Return why a migration failed."""
    if sentence := untrusted(error):
        return sentence
    cause = getattr(error, "orig", None)
    if getattr(cause, "sqlstate", "") == _NEEDED_BY_OTHERS:
        views = str(getattr(getattr(cause, "__cause__", None), "detail", "")).replace("\n", "; ")
        return (
            "A view must be made anew because a field of its entity is gone or has another type, and something of "
            f"yours stands on it: {views}. Nothing was changed. Drop that, migrate, and make it again."
        )
    return f"{type(error).__name__}: {(str(error).splitlines() or ['there was no answer'])[0]}."


def _is_away(error: Exception) -> bool:
    """Tell whether the server could not be reached, so that a later try may succeed."""
    return isinstance(error, (OSError, asyncio.TimeoutError, asyncpg.CannotConnectNowError))


def as_text(wanted: Iterable[WantedTables], *, reporting: str = "", since: str = "") -> str:
    """Return the statements that a database administrator may run instead.

    Args:
        wanted: the tables.
        reporting: a role that may read the views; empty for none.
        since: the present migration of the tables; empty if there are no tables yet.

    Raises:
        MigrationError: there is no such migration.
    """
    known = sorted(one.revision for one in ScriptDirectory(str(_SCRIPTS)).walk_revisions())
    if since and since not in known:
        raise MigrationError(f"There is no migration {since!r}. Known are: {', '.join(known)}.")
    shown = []
    for one in wanted:
        told = io.StringIO()
        config = _config(one, output=told, dialect="postgresql")
        with redirect_stdout(told):
            command.upgrade(config, f"{since}:head" if since else "head", sql=True)
        schema = one.address.schema
        after = [*_schema_views(one), *grants(schema, one.role, reporting), *settings_of(one.role, reporting)]
        after += [index.statement for index in standing(schema)]
        after += as_statements(one.address, one.service, one.role)
        before = [*(one.login.made() if one.login else ()), f"CREATE SCHEMA IF NOT EXISTS {schema}"]
        begin = f"-- {one.service.name}\n" + "".join(f"{statement};\n" for statement in before)
        shown.append(begin + told.getvalue() + "".join(f"\n{statement};\n" for statement in after))
    return "\n".join(shown)


def _migrate_file(one: WantedTables) -> None:
    file = Path(one.address.file)
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=WAL"))
            connection.commit()
            # Otherwise Python's driver commits each CREATE TABLE by itself, and two runs do not take turns.
            connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
            connection.execute(text("BEGIN IMMEDIATE"))
            command.upgrade(_config(one, connection=connection, schema=""), "head")
            for statement in views("", one.service.entities, postgres=False):
                connection.execute(text(statement))
            make_in_file(connection, one.service, contract=one.contract)
            connection.commit()
    finally:
        engine.dispose()


async def _migrate_schema(one: WantedTables, reporting: str) -> list[str]:
    engine = create_async_engine("postgresql+asyncpg://", async_creator=_creator(one.address), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            # Two concurrent runs would disturb each other; the lock ends with the connection.
            await _alone(connection)
            for statement in one.login.made() if one.login else ():
                # A verifier contains colons, which `text` would take for parameters.
                await connection.exec_driver_sql(statement)
            if (await connection.execute(text(f"SELECT to_regnamespace('{one.address.schema}')"))).scalar() is None:
                await connection.execute(text(f"CREATE SCHEMA {one.address.schema}"))
            await connection.run_sync(lambda inner: _upgrade(one, inner))
            for statement in (*_schema_views(one), *grants(one.address.schema, one.role, reporting)):
                await connection.execute(text(statement))
            notes = await _set(connection, settings_of(one.role, reporting))
            await connection.commit()
            await _alone(connection)
            await _make_beside(one)
            return notes
    finally:
        await engine.dispose()


async def _make_beside(one: WantedTables) -> None:
    """Make the parts that cannot be made in a transaction, on a connection of their own."""
    connection = await _creator(one.address)()
    try:
        await make_indexes(connection, one.address.schema, standing(one.address.schema))
        await make_in_schema(connection, one.address.schema, one.service, one.role, contract=one.contract)
    finally:
        await connection.close()


async def _alone(connection: AsyncConnection) -> None:
    """Wait until no other run migrates this database. The lock ends with the transaction, also behind a pooler.

    A statement that waited for the lock would hold a snapshot, and the index of the other run waits for snapshots.

    Raises:
        TimeoutError: the other run has not ended.
    """
    async with asyncio.timeout(_LONGEST_TURN):
        while True:
            lock = "SELECT pg_try_advisory_xact_lock(hashtext('choreography migrate'))"
            if (await connection.execute(text(lock))).scalar():
                break
            await connection.rollback()
            await asyncio.sleep(0.2)
    # A transaction keeps the snapshot of its last query until its next statement, so this statement follows the query.
    await connection.execute(text("SET LOCAL lock_timeout = '60s'"))


async def _set(connection: AsyncConnection, statements: Sequence[str]) -> list[str]:
    """Set the session settings of roles. Return a sentence if this role may not do so, as it did not make the roles."""
    try:
        async with connection.begin_nested():
            for statement in statements:
                await connection.execute(text(statement))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _NOT_ALLOWED:
            raise
        return [f"This role may not set what others begin with. Let an administrator run: {'; '.join(statements)}"]
    return []


def _upgrade(one: WantedTables, connection: Connection) -> None:
    command.upgrade(_config(one, connection=connection), "head")


def _schema_views(one: WantedTables) -> Sequence[str]:
    return views(one.address.schema, one.service.entities, postgres=True)


def _config(one: WantedTables, *, schema: str | None = None, output: TextIO | None = None, **given: Any) -> Config:
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes.update({"schema": one.address.schema if schema is None else schema, **given})
    return config


def _creator(address: DatabaseAddress) -> Any:
    async def connect() -> Any:
        return await asyncpg.connect(**address.arguments, statement_cache_size=0)

    return connect
