"""Inventory: sets stock aside for an order, every line or none, and gives it back when the order is cancelled."""

from typing import Any

from pydantic import BaseModel

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
from bench.fast_stream.service import WORKERS, Database, broker, publish, serve, stream

app = serve(
    """CREATE TABLE IF NOT EXISTS shelves (sku text PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0));
    CREATE TABLE IF NOT EXISTS reservations (order_id text PRIMARY KEY, status text NOT NULL)"""
)

ADD = """INSERT INTO shelves VALUES ($1, $2)
    ON CONFLICT (sku) DO UPDATE SET available = shelves.available + excluded.available"""
TAKE = "UPDATE shelves SET available = available - $2 WHERE sku = $1 AND available >= $2 RETURNING available"
HOLD = "INSERT INTO reservations VALUES ($1, 'held') ON CONFLICT DO NOTHING RETURNING status"
RELEASE = """INSERT INTO reservations VALUES ($1, 'cancelled') ON CONFLICT (order_id)
    DO UPDATE SET status = 'released' WHERE reservations.status = 'held' RETURNING status"""


class NewStock(BaseModel):
    """Goods that came in."""

    sku: str
    quantity: int


@app.post("/stock", status_code=202)
async def add(new: NewStock) -> dict[str, str]:
    """Put goods on a shelf."""
    await Database.pool.execute(ADD, new.sku, new.quantity)
    await publish("stock", StockAdded(**new.model_dump()))
    return {"sku": new.sku, "status": "accepted"}


@app.get("/stock/{sku}")
async def show(sku: str) -> dict[str, Any]:
    """Show a shelf."""
    return {"available": await Database.pool.fetchval("SELECT available FROM shelves WHERE sku = $1", sku) or 0}


@broker.subscriber(stream=stream("orders"), max_workers=WORKERS)
async def on_order(event: OrderEvent) -> None:
    """React to new and to cancelled orders."""
    if isinstance(event, OrderCreated):
        await reserve(event)
    elif isinstance(event, OrderCancelled):
        await release(event)


async def reserve(created: OrderCreated) -> None:
    """Set every line aside, or none."""
    async with Database.pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(HOLD, created.order_id) is None:
            return
        short = await take(connection, created.lines)
        if short:
            await connection.execute(
                "UPDATE reservations SET status = 'rejected' WHERE order_id = $1", created.order_id
            )
    if short:
        await publish("stock", StockRejected(order_id=created.order_id, reason=f"not enough {short}"))
    else:
        await publish("stock", StockReserved(order_id=created.order_id))


async def take(connection: Any, lines: list[Line]) -> str:
    """Take goods off their shelves, in one order for everybody; put all back and name the first that is short."""
    taken: list[Line] = []
    for line in sorted(lines, key=lambda one: one.sku):
        if await connection.fetchval(TAKE, line.sku, line.quantity) is None:
            for back in taken:
                await connection.execute(ADD, back.sku, back.quantity)
            return line.sku
        taken.append(line)
    return ""


async def release(cancelled: OrderCancelled) -> None:
    """Put back what the order took, or remember that it must not take anything any more."""
    async with Database.pool.acquire() as connection, connection.transaction():
        released = await connection.fetchval(RELEASE, cancelled.order_id) == "released"
        for line in cancelled.lines if released else ():
            await connection.execute(ADD, line.sku, line.quantity)
    if released:
        await publish("stock", StockReleased(order_id=cancelled.order_id))
