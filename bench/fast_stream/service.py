"""What every service here is made of: a broker, a pool of database connections, and an app that starts both."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI
from faststream.redis import RedisBroker, StreamSub
from pydantic import BaseModel

WORKERS = 16
"""How many messages of a stream are handled at once, and how many connections to the database there are."""

# A hundred connections, the default, are not enough for all workers beside the requests under way.
broker = RedisBroker(os.environ["REDIS_URL"], max_connections=400, logger=logging.getLogger("faststream"))


class Database:
    """The pool, once there is one."""

    pool: "asyncpg.Pool[asyncpg.Record]"


def stream(topic: str) -> StreamSub:
    """Read a stream as one replica of this service."""
    return StreamSub(topic, group=os.environ["APP_ID"], consumer=os.environ["REPLICA"], max_records=100)


async def publish(topic: str, *events: BaseModel) -> None:
    """Publish events."""
    for event in events:
        await broker.publish(event, stream=topic)


def serve(schema: str) -> FastAPI:
    """Return an app that creates its tables, then listens."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        Database.pool = await asyncpg.create_pool(
            os.environ["DATABASE_URL"], min_size=8, max_size=WORKERS, server_settings={"enable_seqscan": "off"}
        )
        async with Database.pool.acquire() as connection, connection.transaction():
            # Replicas start at the same moment, and PostgreSQL does not create a table twice at once.
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
            await connection.execute(schema)
        await broker.start()
        yield
        await broker.stop()
        await Database.pool.close()

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    async def ready() -> dict[str, Any]:
        """Say that it serves."""
        return {"status": "ready"}

    return app
