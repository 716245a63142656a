"""The application as it was before, with two lines more: it makes an outbox, and publishes in its own transaction."""

import os
import uuid
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, PositiveInt
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from choreography.outbox import Outbox
from examples.existing_shop.models import Order
from examples.paid_orders.contracts import OrderPlaced
from examples.paid_orders.shop import shop

engine = create_async_engine(os.environ["DATABASE_URL"])
sessions = async_sessionmaker(engine, expire_on_commit=False)
outbox = Outbox(shop, schema="paid_orders_shop")
app = FastAPI()


async def session() -> AsyncIterator[AsyncSession]:
    """Give each request a session."""
    async with sessions() as one:
        yield one


class NewOrder(BaseModel):
    """What a customer sends."""

    total: PositiveInt


@app.post("/orders", status_code=201)
async def place(
    new: NewOrder,
    session: Annotated[AsyncSession, Depends(session)],
    idempotency_key: Annotated[str | None, Header()] = None,
) -> dict[str, str]:
    """Place an order. With the same Idempotency-Key it is the same order."""
    order_id = uuid.uuid5(uuid.NAMESPACE_OID, idempotency_key or uuid.uuid4().hex).hex
    if await session.get(Order, order_id) is None:
        session.add(Order(order_id=order_id, total=new.total))
    await outbox.publish(session, OrderPlaced(order_id=order_id, total=new.total), key=order_id)
    if new.total > 1_000_000:
        raise HTTPException(422, "Nobody pays that much.")  # the session is rolled back, and with it the event
    await session.commit()
    return {"order_id": order_id}


@app.get("/orders/{order_id}")
async def show(order_id: str, session: Annotated[AsyncSession, Depends(session)]) -> dict[str, int]:
    """Show an order."""
    order = await session.get(Order, order_id)
    if order is None:
        raise HTTPException(404, "There is no such order.")
    return {"total": order.total, "paid": order.paid}
