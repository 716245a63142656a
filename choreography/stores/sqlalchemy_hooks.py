"""Connections of SQLAlchemy for hooks, on the connection whose transaction commits the event."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from choreography.engine.beside import HookCall
from choreography.own_tables import Takes
from choreography.stores.own_connection import OwnConnection


async def call_with_sqlalchemy(connection: OwnConnection, call: HookCall) -> None:
    """Call a hook with a connection of SQLAlchemy, in a savepoint of its own.

    A commit of the hook releases the savepoint, and a rollback undoes only the hook's own changes: SQLAlchemy does not
    control the transaction around it.
    """
    async with _engine_of(connection).connect() as lent:
        await lent.begin()
        if call.hook.takes is Takes.SQLALCHEMY:
            await lent.run_sync(call.hook.function, call.committing)
        else:
            await call.hook.function(lent, call.committing)
        if lent.in_transaction():
            await lent.commit()


def _engine_of(connection: OwnConnection) -> AsyncEngine:
    """Return the engine that has only this connection."""

    async def lend(**_: Any) -> OwnConnection:
        return connection

    def made() -> AsyncEngine:
        return create_async_engine(
            "postgresql+asyncpg://",
            pool_size=1,
            max_overflow=0,
            # A prepared statement is useless once the connection was given back to its pool.
            connect_args={"async_creator_fn": lend, "prepared_statement_cache_size": 0},
        )

    return connection.kept_engine(made)
