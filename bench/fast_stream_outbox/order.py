"""Order: accepts what customers want and follows what the others say about it."""

import json
from typing import Any
from uuid import uuid4

from fastapi import HTTPException
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.fast_stream.contracts import (
    Line,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    PaymentDeclined,
    PaymentEvent,
    ShipmentDispatched,
    StockEvent,
    StockRejected,
)
from bench.fast_stream_outbox.service import engine, relay, say, serve, subscriber

app = serve(
    """CREATE TABLE IF NOT EXISTS orders (order_id text PRIMARY KEY, customer_id text NOT NULL, currency text NOT NULL,
    lines jsonb NOT NULL, total bigint NOT NULL, status text NOT NULL, reason text NOT NULL DEFAULT '')"""
)
relay("orders")

INSERT = "INSERT INTO orders (order_id, customer_id, currency, lines, total, status) VALUES ($1,$2,$3,$4,$5,'placed')"
SHOW = "SELECT order_id, status, reason FROM orders WHERE order_id = $1"
END = """UPDATE orders SET status = $2, reason = $3 WHERE order_id = $1 AND status = 'placed'
    RETURNING customer_id, lines::text"""


class NewOrder(BaseModel):
    """What a customer sends."""

    customer_id: str
    currency: str
    lines: list[Line]


@app.post("/orders", status_code=202)
async def place(new: NewOrder) -> dict[str, str]:
    """Accept an order."""
    total = sum(line.quantity * line.unit_price for line in new.lines)
    created = OrderCreated(order_id=uuid4().hex, total=total, **new.model_dump())
    lines = json.dumps([line.model_dump() for line in new.lines])
    async with engine.begin() as connection:
        await connection.exec_driver_sql(INSERT, (created.order_id, new.customer_id, new.currency, lines, total))
        await say(connection, "orders", created)
    return {"order_id": created.order_id, "status": "accepted"}


@app.get("/orders/{order_id}")
async def show(order_id: str) -> dict[str, Any]:
    """Show an order."""
    async with engine.connect() as connection:
        row = (await connection.exec_driver_sql(SHOW, (order_id,))).mappings().first()
    if row is None:
        raise HTTPException(404)
    return dict(row)


@subscriber("shipments")
async def on_shipment(event: ShipmentDispatched) -> None:
    """The parcel has left, so the order is completed."""
    async with engine.begin() as connection:
        if row := await end(connection, event.order_id, "completed", ""):
            await say(connection, "orders", OrderCompleted(order_id=event.order_id, customer_id=row.customer_id))


@subscriber("stock")
async def on_stock(event: StockEvent) -> None:
    """Without stock the order cannot be fulfilled."""
    if isinstance(event, StockRejected):
        await cancel(event.order_id, event.reason)


@subscriber("payments")
async def on_payment(event: PaymentEvent) -> None:
    """Without payment the order will not be fulfilled."""
    if isinstance(event, PaymentDeclined):
        await cancel(event.order_id, event.reason)


async def cancel(order_id: str, reason: str) -> None:
    """Cancel an order that has not ended."""
    async with engine.begin() as connection:
        if row := await end(connection, order_id, "cancelled", reason):
            lines = [Line(**line) for line in json.loads(row.lines)]
            said = OrderCancelled(order_id=order_id, customer_id=row.customer_id, reason=reason, lines=lines)
            await say(connection, "orders", said)


async def end(connection: AsyncConnection, order_id: str, status: str, reason: str) -> Any:
    """End an order, once; return its row if it was this call that ended it."""
    return (await connection.exec_driver_sql(END, (order_id, status, reason))).first()
