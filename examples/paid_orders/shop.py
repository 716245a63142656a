"""The shop's part in the flow: it hears that an order is paid, and its application says that one is placed."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from choreography import Committing, Decision, Service, nothing
from examples.existing_shop.models import Order
from examples.paid_orders.contracts import OrderPlaced, PaymentTaken

shop = Service("shop", publishes=[OrderPlaced], outbox=True)


@shop.on(PaymentTaken)
def note_payment(taken: PaymentTaken) -> Decision:
    """Nothing is kept beside the application's own tables."""
    return nothing


@shop.in_transaction(PaymentTaken)
async def mark_paid(connection: AsyncConnection, committing: Committing) -> None:
    """Add what was paid to the application's order, in the transaction that settles the event."""
    taken = committing.heard
    if not isinstance(taken, PaymentTaken):
        return
    async with AsyncSession(bind=connection) as session:
        of_this_order = update(Order).where(Order.order_id == taken.order_id)
        await session.execute(of_this_order.values(paid=Order.paid + taken.amount))
        await session.commit()
