"""What the shop and the payments say to each other."""

from choreography import Event, Id, Money


class OrderPlaced(Event, owner="shop", subject="order_id", type="order.placed.v1"):
    """A customer has placed an order."""

    order_id: Id
    total: Money


class PaymentTaken(Event, owner="payments", subject="order_id", type="payment.taken.v1", final=True):
    """An order is paid."""

    order_id: Id
    amount: Money
