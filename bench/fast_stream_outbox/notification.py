"""Notification: tells the customer how the order ended."""

from bench.fast_stream.contracts import OrderCancelled, OrderCompleted, OrderEvent
from bench.fast_stream_outbox.service import engine, serve, subscriber

app = serve(
    """CREATE TABLE IF NOT EXISTS notices (order_id text PRIMARY KEY, customer_id text NOT NULL, told text NOT NULL,
    reason text NOT NULL DEFAULT '')"""
)

KEEP = "INSERT INTO notices VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"


@subscriber("orders")
async def on_order(event: OrderEvent) -> None:
    """Remember what the customer was told."""
    if isinstance(event, OrderCompleted):
        await keep(event.order_id, event.customer_id, "completed", "")
    elif isinstance(event, OrderCancelled):
        await keep(event.order_id, event.customer_id, "cancelled", event.reason)


async def keep(*row: str) -> None:
    """Write a notice, once."""
    async with engine.begin() as connection:
        await connection.exec_driver_sql(KEEP, row)
