"""The facts of the checkout flow. Services share these and nothing else.

No event holds personal data beyond a customer id, and every amount is an integer in the minor unit.
"""

from typing import Annotated

from pydantic import Field

from choreography import Event, Id, Money, Value

Sku = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Quantity = Annotated[int, Field(ge=1, le=10_000)]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Line(Value):
    """So many of one thing, at a price each."""

    sku: Sku
    quantity: Quantity
    unit_price: Annotated[int, Field(ge=1, le=100_000_000)]


class OrderEvent(Event, owner="order", subject="order_id"):
    """What the order service says."""

    order_id: Id


class OrderCreated(OrderEvent, type="order.created.v1"):
    """A customer ordered."""

    customer_id: Id
    currency: Currency
    lines: Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)]
    total: Money


class CancellationRequested(OrderEvent, type="order.cancellation-requested.v1"):
    """Somebody wants the order cancelled. Shipping decides whether it still can be."""

    reason: Reason


class OrderCompleted(OrderEvent, type="order.completed.v1", final=True):
    """The order was reserved, paid and dispatched."""

    customer_id: Id


class OrderCancelled(OrderEvent, type="order.cancelled.v1", undoes=OrderCreated):
    """The order will not be fulfilled; whoever acted on it takes that back."""

    customer_id: Id
    reason: Reason
    lines: tuple[Line, ...]


class StockEvent(Event, owner="inventory", subject="order_id"):
    """What the inventory service says about an order."""

    order_id: Id


class StockAdded(Event, owner="inventory", subject="sku", type="stock.added.v1"):
    """Goods came in."""

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=1_000_000_000)]


class StockReserved(StockEvent, type="stock.reserved.v1"):
    """Every line of the order was reserved."""


class StockRejected(StockEvent, type="stock.rejected.v1"):
    """At least one line could not be had, so nothing was reserved."""

    reason: Reason


class StockReleased(StockEvent, type="stock.released.v1", undoes=StockReserved, final=True):
    """What had been reserved is back on its shelf."""


class PaymentEvent(Event, owner="billing", subject="order_id"):
    """What the billing service says."""

    order_id: Id
    amount: Money
    currency: Currency


class PaymentCharged(PaymentEvent, type="payment.charged.v1"):
    """The customer paid."""


class PaymentDeclined(PaymentEvent, type="payment.declined.v1"):
    """The payment provider refused."""

    reason: Reason


class PaymentRefunded(PaymentEvent, type="payment.refunded.v1", undoes=PaymentCharged, final=True):
    """The customer has the money back."""


class ShipmentEvent(Event, owner="shipping", subject="order_id"):
    """What the shipping service says."""

    order_id: Id


class ShipmentDispatched(ShipmentEvent, type="shipment.dispatched.v1"):
    """The parcel has left. There is no way back from here."""


class ShipmentWithheld(ShipmentEvent, type="shipment.withheld.v1"):
    """The parcel will never leave, because somebody asked in time."""

    reason: Reason


class CancellationRefused(ShipmentEvent, type="shipment.cancellation-refused.v1", final=True):
    """Somebody asked too late."""

    reason: Reason
