"""Billing: charges the customer through the payment provider, and refunds when the order is cancelled."""

import os
from typing import Any

import aiohttp

from bench.fast_stream.contracts import (
    OrderCancelled,
    OrderCreated,
    OrderEvent,
    PaymentCharged,
    PaymentDeclined,
    PaymentRefunded,
)
from bench.fast_stream_outbox.service import engine, relay, say, serve, subscriber

app = serve(
    """CREATE TABLE IF NOT EXISTS payments (order_id text PRIMARY KEY, status text NOT NULL, charge_id text,
    amount bigint, currency text)"""
)
relay("payments")

KEEP = "INSERT INTO payments VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING status"
STATUS = "SELECT status FROM payments WHERE order_id = $1"
CANCEL = """INSERT INTO payments VALUES ($1, 'cancelled') ON CONFLICT (order_id)
    DO UPDATE SET status = 'refunding' WHERE payments.status IN ('charged', 'refunding') RETURNING *"""
REFUNDED = """INSERT INTO payments VALUES ($1, 'refunded', $2, $3, $4) ON CONFLICT (order_id)
    DO UPDATE SET status = 'refunded' WHERE payments.status <> 'refunded' RETURNING status"""


class Provider:
    """The payment provider."""

    session: aiohttp.ClientSession | None = None

    @classmethod
    async def post(cls, path: str, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Ask it for something, under a key by which it does it once."""
        if cls.session is None:
            cls.session = aiohttp.ClientSession(os.environ["OUTSIDE_PAYMENT_PROVIDER"])
        async with cls.session.post(path, json=body, headers={"Idempotency-Key": key}) as reply:
            if reply.status != 402:
                reply.raise_for_status()
            return reply.status, await reply.json()


@subscriber("orders")
async def on_order(event: OrderEvent) -> None:
    """React to new and to cancelled orders."""
    if isinstance(event, OrderCreated):
        await charge(event)
    elif isinstance(event, OrderCancelled):
        await give_back(event.order_id)


async def charge(created: OrderCreated) -> None:
    """Charge for a new order."""
    order_id, money = created.order_id, {"amount": created.total, "currency": created.currency}
    status, answer = await Provider.post(
        "/charges", order_id, {"order_id": order_id, "customer_id": created.customer_id, **money}
    )
    charge_id, row = answer.get("charge_id"), (created.total, created.currency)
    async with engine.begin() as connection:
        outcome = "declined" if status == 402 else "charged"
        kept = (await connection.exec_driver_sql(KEEP, (order_id, outcome, charge_id, *row))).scalar()
        if kept == "declined":
            await say(connection, "payments", PaymentDeclined(order_id=order_id, reason=answer["reason"], **money))
        elif kept == "charged":
            await say(connection, "payments", PaymentCharged(order_id=order_id, **money))
        # Nothing was kept: the order was cancelled before, or this event was handled before.
        late = kept is None and (await connection.exec_driver_sql(STATUS, (order_id,))).scalar() == "cancelled"
    if late and charge_id:
        await refund(order_id, charge_id, *row)


async def give_back(order_id: str) -> None:
    """Refund what was charged, or remember that the order was cancelled before."""
    async with engine.begin() as connection:
        row = (await connection.exec_driver_sql(CANCEL, (order_id,))).first()
    if row and row.status == "refunding":
        await refund(order_id, row.charge_id, row.amount, row.currency)


async def refund(order_id: str, charge_id: str, amount: int, currency: str) -> None:
    """Refund a charge."""
    await Provider.post(
        "/refunds", f"{order_id}-refund", {"order_id": order_id, "charge_id": charge_id, "amount": amount}
    )
    async with engine.begin() as connection:
        done = (await connection.exec_driver_sql(REFUNDED, (order_id, charge_id, amount, currency))).scalar()
        if done:
            await say(connection, "payments", PaymentRefunded(order_id=order_id, amount=amount, currency=currency))
