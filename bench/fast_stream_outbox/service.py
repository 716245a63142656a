"""What every service here is made of: a broker, an engine, an outbox with its relay, and an app that starts them."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from faststream import AckPolicy
from faststream.redis import RedisBroker, StreamSub
from faststream_outbox import OutboxBroker, make_outbox_table
from faststream_outbox.autovacuum import outbox_autovacuum_ddl
from pydantic import BaseModel
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

WORKERS = 16
"""How many messages of a stream are handled at once, and how many connections handlers have between them."""
_RELAYS = 4
"""How many events of the outbox are published at once."""
_CLAIM_AFTER = 30_000
"""Milliseconds after which a message that nobody acknowledged is taken over from whoever holds it."""

_service = os.environ["APP_ID"]

# A hundred connections, the default, are not enough for all workers beside the requests under way.
broker = RedisBroker(os.environ["REDIS_URL"], max_connections=400, logger=None)
engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    # The relay keeps a connection for each of its workers, and one to fetch with.
    pool_size=WORKERS + _RELAYS + 1,
    max_overflow=0,
    pool_timeout=600,
    connect_args={"server_settings": {"enable_seqscan": "off"}},
)
_metadata = MetaData()
_table = make_outbox_table(_metadata, f"{_service}_outbox")
# Events were validated where they were made, so the relay need not look into them.
outbox = OutboxBroker(engine, outbox_table=_table, logger=None, apply_types=False)


def subscriber(topic: str) -> Callable[[Any], Any]:
    """Read a stream as one replica of this service; take over what others hold for too long."""
    group, consumer = _service, os.environ["REPLICA"]
    new = StreamSub(topic, group=group, consumer=consumer, max_records=100)
    held = StreamSub(topic, group=group, consumer=consumer, min_idle_time=_CLAIM_AFTER, polling_interval=5_000)

    def of(handler: Any) -> Any:
        # What failed stays pending, so it is taken over later.
        keep = AckPolicy.NACK_ON_ERROR
        claimed = broker.subscriber(stream=held, ack_policy=keep)(handler)
        return broker.subscriber(stream=new, max_workers=WORKERS, ack_policy=keep)(claimed)

    return of


async def say(connection: AsyncConnection, topic: str, *events: BaseModel) -> None:
    """Write events beside the state that they follow from."""
    for event in events:
        body = event.model_dump_json().encode()
        await outbox.publish(body, queue=topic, session=connection)


def relay(topic: str) -> None:
    """Publish what the outbox holds for a stream."""

    @broker.publisher(stream=topic)
    @outbox.subscriber(
        topic,
        max_workers=_RELAYS,
        fetch_batch_size=100,
        min_fetch_interval=0.05,
        terminal_flush_batch_size=50,
        decoder=_undecoded,
    )
    async def forward(body: bytes) -> bytes:
        """Pass an event on as it is."""
        return body


async def _undecoded(message: Any) -> bytes:
    return bytes(message.body)


def serve(schema: str) -> FastAPI:
    """Return an app that creates its tables, then listens and relays."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            # Replicas start at the same moment, and PostgreSQL does not create a table twice at once.
            await connection.execute(text("SELECT pg_advisory_xact_lock(1)"))
            for statement in schema.split(";"):
                await connection.exec_driver_sql(statement)
            await connection.run_sync(_metadata.create_all)
            await connection.exec_driver_sql(outbox_autovacuum_ddl(_table.name))
        await broker.start()
        await outbox.start()
        yield
        await outbox.stop()
        await broker.stop()
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    async def ready() -> dict[str, Any]:
        """Say that it serves."""
        return {"status": "ready"}

    return app
