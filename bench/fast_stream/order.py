"""Order: accepts what customers want and follows what the others say about it."""

import json
from typing import Any
from uuid import uuid4

from fastapi import HTTPException
from pydantic import BaseModel

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
from bench.fast_stream.service import WORKERS, Database, broker, publish, serve, stream

app = serve(
    """CREATE TABLE IF NOT EXISTS orders (order_id text PRIMARY KEY, customer_id text NOT NULL, currency text NOT NULL,
    lines jsonb NOT NULL, total bigint NOT NULL, status text NOT NULL, reason text NOT NULL DEFAULT '')"""
)

INSERT = "INSERT INTO orders (order_id, customer_id, currency, lines, total, status) VALUES ($1,$2,$3,$4,$5,'placed')"
END = (
    "UPDATE orders SET status = $2, reason = $3 WHERE order_id = $1 AND status = 'placed' RETURNING customer_id, lines"
)


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
    await Database.pool.execute(INSERT, created.order_id, new.customer_id, new.currency, lines, total)
    await publish("orders", created)
    return {"order_id": created.order_id, "status": "accepted"}


@app.get("/orders/{order_id}")
async def show(order_id: str) -> dict[str, Any]:
    """Show an order."""
    row = await Database.pool.fetchrow("SELECT order_id, status, reason FROM orders WHERE order_id = $1", order_id)
    if row is None:
        raise HTTPException(404)
    return dict(row)


@broker.subscriber(stream=stream("shipments"), max_workers=WORKERS)
async def on_shipment(event: ShipmentDispatched) -> None:
    """The parcel has left, so the order is completed."""
    row = await Database.pool.fetchrow(END, event.order_id, "completed", "")
    if row:
        await publish("orders", OrderCompleted(order_id=event.order_id, customer_id=row["customer_id"]))


@broker.subscriber(stream=stream("stock"), max_workers=WORKERS)
async def on_stock(event: StockEvent) -> None:
    """Without stock the order cannot be fulfilled."""
    if isinstance(event, StockRejected):
        await cancel(event.order_id, event.reason)


@broker.subscriber(stream=stream("payments"), max_workers=WORKERS)
async def on_payment(event: PaymentEvent) -> None:
    """Without payment the order will not be fulfilled."""
    if isinstance(event, PaymentDeclined):
        await cancel(event.order_id, event.reason)


async def cancel(order_id: str, reason: str) -> None:
    """Cancel an order that has not ended."""
    row = await Database.pool.fetchrow(END, order_id, "cancelled", reason)
    if row:
        lines = [Line(**line) for line in json.loads(row["lines"])]
        await publish(
            "orders", OrderCancelled(order_id=order_id, customer_id=row["customer_id"], reason=reason, lines=lines)
        )
