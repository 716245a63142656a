"""Payments takes the money for every order, once."""

from choreography import Decision, Entity, Id, Service, nothing
from examples.paid_orders.contracts import OrderPlaced, PaymentTaken


class Payment(Entity, key="order_id"):
    """Whether an order is paid."""

    order_id: Id
    taken: bool = False


payments = Service("payments", publishes=[PaymentTaken])


@payments.on(OrderPlaced)
def take(payment: Payment, placed: OrderPlaced) -> Decision[PaymentTaken]:
    """Take the money, unless it was taken."""
    if payment.taken:
        return nothing
    return payment.but(taken=True), PaymentTaken(order_id=placed.order_id, amount=placed.total)
