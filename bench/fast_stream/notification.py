"""Notification: tells the customer how the order ended."""

from bench.fast_stream.contracts import OrderCancelled, OrderCompleted, OrderEvent
from bench.fast_stream.service import WORKERS, Database, broker, serve, stream

app = serve(
    """CREATE TABLE IF NOT EXISTS notices (order_id text PRIMARY KEY, customer_id text NOT NULL, told text NOT NULL,
    reason text NOT NULL DEFAULT '')"""
)

KEEP = "INSERT INTO notices VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"


@broker.subscriber(stream=stream("orders"), max_workers=WORKERS)
async def on_order(event: OrderEvent) -> None:
    """Remember what the customer was told."""
    if isinstance(event, OrderCompleted):
        await Database.pool.execute(KEEP, event.order_id, event.customer_id, "completed", "")
    elif isinstance(event, OrderCancelled):
        await Database.pool.execute(KEEP, event.order_id, event.customer_id, "cancelled", event.reason)
