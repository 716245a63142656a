"""Shipping: waits until an order is both reserved and paid, then dispatches it."""

from bench.fast_stream.contracts import PaymentCharged, PaymentEvent, ShipmentDispatched, StockEvent, StockReserved
from bench.fast_stream_outbox.service import engine, relay, say, serve, subscriber

app = serve(
    """CREATE TABLE IF NOT EXISTS shipments (order_id text PRIMARY KEY, reserved boolean NOT NULL DEFAULT false,
    paid boolean NOT NULL DEFAULT false, status text NOT NULL DEFAULT 'waiting')"""
)
relay("shipments")

NOTE = """INSERT INTO shipments (order_id, {what}) VALUES ($1, true)
    ON CONFLICT (order_id) DO UPDATE SET {what} = true RETURNING reserved AND paid AND status = 'waiting'"""
NOTE_RESERVED = NOTE.format(what="reserved")
NOTE_PAID = NOTE.format(what="paid")
DISPATCH = "UPDATE shipments SET status = 'dispatched' WHERE order_id = $1"


@subscriber("stock")
async def on_stock(event: StockEvent) -> None:
    """The goods are set aside."""
    if isinstance(event, StockReserved):
        await note(event.order_id, NOTE_RESERVED)


@subscriber("payments")
async def on_payment(event: PaymentEvent) -> None:
    """The customer paid."""
    if isinstance(event, PaymentCharged):
        await note(event.order_id, NOTE_PAID)


async def note(order_id: str, statement: str) -> None:
    """Remember what came, and dispatch once both have."""
    async with engine.begin() as connection:
        if (await connection.exec_driver_sql(statement, (order_id,))).scalar():
            await connection.exec_driver_sql(DISPATCH, (order_id,))
            await say(connection, "shipments", ShipmentDispatched(order_id=order_id))
