"""Bringing the tables of services to the migration that this release needs, and their views to its entities."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from choreography.service import Service
from choreography.stores.address import Address
from choreography.stores.roles import grants
from choreography.stores.views import views

_SCRIPTS = Path(__file__).parent / "migrations"


class Wanted(NamedTuple):
    """The tables of one service.

    Attributes:
        service: the service that they are for.
        address: the database and the schema, with a role that owns them.
        role: the role that the service logs in with; nobody is granted anything if it is empty.
    """

    service: Service
    address: Address
    role: str = ""


def migrate(wanted: Iterable[Wanted], *, reporting: str = "") -> None:
    """Make or change the tables of services, one after another.

    Args:
        wanted: the tables.
        reporting: a role that may read the views of all of them; none if it is empty.
    """
    for one in wanted:
        if one.address.is_file:
            _migrate_file(one)
        else:
            asyncio.run(_migrate_schema(one, reporting))


def as_text(wanted: Iterable[Wanted], *, reporting: str = "") -> str:
    """Return what a database administrator may run instead."""
    shown = []
    for one in wanted:
        told = io.StringIO()
        config = _config(one, dialect="postgresql")
        config.output_buffer = told
        with redirect_stdout(told):
            command.upgrade(config, "head", sql=True)
        after = [*_schema_views(one), *grants(one.address.schema, one.role, reporting)]
        begin = f"-- {one.service.name}\nCREATE SCHEMA IF NOT EXISTS {one.address.schema};\n"
        shown.append(begin + told.getvalue() + "".join(f"\n{statement};\n" for statement in after))
    return "\n".join(shown)


def _migrate_file(one: Wanted) -> None:
    file = Path(one.address.file)
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=WAL"))
            connection.commit()
            command.upgrade(_config(one, connection=connection, schema=""), "head")
            for statement in views("", one.service.entities, postgres=False):
                connection.execute(text(statement))
            connection.commit()
    finally:
        engine.dispose()


async def _migrate_schema(one: Wanted, reporting: str) -> None:
    engine = create_async_engine("postgresql+asyncpg://", async_creator=_creator(one.address), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {one.address.schema}"))
            await connection.commit()
            await connection.run_sync(lambda inner: _upgrade(one, inner))
            for statement in (*_schema_views(one), *grants(one.address.schema, one.role, reporting)):
                await connection.execute(text(statement))
            await connection.commit()
    finally:
        await engine.dispose()


def _upgrade(one: Wanted, connection: Connection) -> None:
    command.upgrade(_config(one, connection=connection), "head")
    connection.commit()


def _schema_views(one: Wanted) -> Sequence[str]:
    return views(one.address.schema, one.service.entities, postgres=True)


def _config(one: Wanted, *, schema: str | None = None, **given: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes.update({"schema": one.address.schema if schema is None else schema, **given})
    return config


def _creator(address: Address) -> Any:
    async def connect() -> Any:
        import asyncpg  # noqa: PLC0415 - a flow on SQLite needs no client of PostgreSQL

        return await asyncpg.connect(**address.arguments, statement_cache_size=0)

    return connect
