"""Inventory: sets stock aside for an order, every line or none, and gives it back when the order is cancelled."""

from typing import Any

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.fast_stream.contracts import (
    Line,
    OrderCancelled,
    OrderCreated,
    OrderEvent,
    StockAdded,
    StockRejected,
    StockReleased,
    StockReserved,
)
from bench.fast_stream_outbox.service import engine, relay, say, serve, subscriber

app = serve(
    """CREATE TABLE IF NOT EXISTS shelves (sku text PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0));
    CREATE TABLE IF NOT EXISTS reservations (order_id text PRIMARY KEY, status text NOT NULL)"""
)
relay("stock")

ADD = """INSERT INTO shelves VALUES ($1, $2)
    ON CONFLICT (sku) DO UPDATE SET available = shelves.available + excluded.available"""
SHOW = "SELECT available FROM shelves WHERE sku = $1"
TAKE = "UPDATE shelves SET available = available - $2 WHERE sku = $1 AND available >= $2 RETURNING available"
HOLD = "INSERT INTO reservations VALUES ($1, 'held') ON CONFLICT DO NOTHING RETURNING status"
REJECT = "UPDATE reservations SET status = 'rejected' WHERE order_id = $1"
RELEASE = """INSERT INTO reservations VALUES ($1, 'cancelled') ON CONFLICT (order_id)
    DO UPDATE SET status = 'released' WHERE reservations.status = 'held' RETURNING status"""


class NewStock(BaseModel):
    """Goods that came in."""

    sku: str
    quantity: int


@app.post("/stock", status_code=202)
async def add(new: NewStock) -> dict[str, str]:
    """Put goods on a shelf."""
    async with engine.begin() as connection:
        await connection.exec_driver_sql(ADD, (new.sku, new.quantity))
        await say(connection, "stock", StockAdded(**new.model_dump()))
    return {"sku": new.sku, "status": "accepted"}


@app.get("/stock/{sku}")
async def show(sku: str) -> dict[str, Any]:
    """Show a shelf."""
    async with engine.connect() as connection:
        return {"available": (await connection.exec_driver_sql(SHOW, (sku,))).scalar() or 0}


@subscriber("orders")
async def on_order(event: OrderEvent) -> None:
    """React to new and to cancelled orders."""
    if isinstance(event, OrderCreated):
        await reserve(event)
    elif isinstance(event, OrderCancelled):
        await release(event)


async def reserve(created: OrderCreated) -> None:
    """Set every line aside, or none."""
    async with engine.begin() as connection:
        if (await connection.exec_driver_sql(HOLD, (created.order_id,))).scalar() is None:
            return
        if short := await take(connection, created.lines):
            await connection.exec_driver_sql(REJECT, (created.order_id,))
            await say(connection, "stock", StockRejected(order_id=created.order_id, reason=f"not enough {short}"))
        else:
            await say(connection, "stock", StockReserved(order_id=created.order_id))


async def take(connection: AsyncConnection, lines: list[Line]) -> str:
    """Take goods off their shelves, in one order for everybody; put all back and name the first that is short."""
    taken: list[Line] = []
    for line in sorted(lines, key=lambda one: one.sku):
        if (await connection.exec_driver_sql(TAKE, (line.sku, line.quantity))).scalar() is None:
            for back in taken:
                await connection.exec_driver_sql(ADD, (back.sku, back.quantity))
            return line.sku
        taken.append(line)
    return ""


async def release(cancelled: OrderCancelled) -> None:
    """Put back what the order took, or remember that it must not take anything any more."""
    async with engine.begin() as connection:
        if (await connection.exec_driver_sql(RELEASE, (cancelled.order_id,))).scalar() == "released":
            for line in sorted(cancelled.lines, key=lambda one: one.sku):
                await connection.exec_driver_sql(ADD, (line.sku, line.quantity))
            await say(connection, "stock", StockReleased(order_id=cancelled.order_id))
