"""Order accepts what customers want and follows what the others say about it. It decides nothing alone.

An order is completed once dispatched, and cancelled once it cannot be: stock rejected, payment declined, or
shipment withheld because the customer or the order's deadline asked in time.
"""

from datetime import timedelta
from typing import Annotated, Literal, assert_never

from pydantic import Field

from apps.checkout.contracts import (
    CancellationRefused,
    CancellationRequested,
    Currency,
    Line,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    PaymentDeclined,
    Quantity,
    Reason,
    ShipmentDispatched,
    ShipmentWithheld,
    Sku,
    StockRejected,
)
from choreography import Deadline, Decision, Entity, Id, Money, NewId, Request, Service, nothing


class Order(Entity, key="order_id"):
    """What the customer is told. It may hear of its end before it hears of its beginning."""

    order_id: Id
    status: Literal["unknown", "placed", "completed", "cancelled"] = "unknown"
    reason: str = ""
    cancellation: Literal["not asked for", "asked for", "refused"] = "not asked for"
    customer_id: str = ""
    currency: str = ""
    lines: tuple[Line, ...] = ()
    total: Money = 0


order = Service("order", publishes=[OrderCreated, CancellationRequested, OrderCompleted, OrderCancelled])


class NewLine(Request):
    """One line of a new order. ``unit_price`` is in the minor unit of the currency."""

    sku: Sku
    quantity: Quantity
    unit_price: Annotated[int, Field(ge=1, le=100_000_000)]


class NewOrder(Request):
    """What a customer sends."""

    customer_id: Id
    currency: Currency
    lines: Annotated[tuple[NewLine, ...], Field(min_length=1, max_length=50)]


class CancelOrder(Request):
    """Why the customer wants out."""

    reason: Reason = "the customer changed their mind"


@order.command("POST /orders")
def place(new: NewOrder, order_id: NewId) -> OrderCreated:
    """Accept an order."""
    lines = tuple(Line(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price) for line in new.lines)
    return OrderCreated(
        order_id=order_id,
        customer_id=new.customer_id,
        currency=new.currency,
        lines=lines,
        total=sum(line.quantity * line.unit_price for line in lines),
    )


@order.command("POST /orders/{order_id}/cancel", of=Order)
def ask_to_cancel(order_id: Id, cancel: CancelOrder) -> CancellationRequested:
    """Ask for an order to be cancelled; shipping decides."""
    return CancellationRequested(order_id=order_id, reason=cancel.reason)


order.view("/orders/{order_id}", Order)
order.view("/orders", Order, by=("customer_id", "status"), newest_first=True)


@order.on(OrderCreated)
def follow(order: Order, created: OrderCreated) -> Decision[OrderCompleted | OrderCancelled]:
    """Begin to follow an order. What already ended is announced now that the customer is known."""
    if order.customer_id:
        return nothing
    known = order.but(
        customer_id=created.customer_id, currency=created.currency, lines=created.lines, total=created.total
    )
    match order.status:
        case "unknown" | "placed":
            return known.but(status="placed")
        case "completed":
            return known, _completed(known)
        case "cancelled":
            return known, _cancelled(known)
        case unreachable:
            assert_never(unreachable)


@order.on(ShipmentDispatched)
def complete(order: Order, dispatched: ShipmentDispatched) -> Decision[OrderCompleted]:
    """The parcel has left, so the order is completed."""
    match order.status:
        case "unknown":
            return order.but(status="completed")
        case "placed":
            return order.but(status="completed"), _completed(order)
        case "completed" | "cancelled":
            return nothing
        case unreachable:
            assert_never(unreachable)


@order.on(StockRejected)
def cancel_without_stock(order: Order, rejected: StockRejected) -> Decision[OrderCancelled]:
    """Without stock the order cannot be fulfilled."""
    return _cancel(order, rejected.reason)


@order.on(PaymentDeclined)
def cancel_without_payment(order: Order, declined: PaymentDeclined) -> Decision[OrderCancelled]:
    """Without payment the order will not be fulfilled."""
    return _cancel(order, declined.reason)


@order.on(ShipmentWithheld)
def cancel_as_asked(order: Order, withheld: ShipmentWithheld) -> Decision[OrderCancelled]:
    """Shipping says there is still time, so the order is cancelled."""
    return _cancel(order, withheld.reason)


@order.on(CancellationRequested)
def note_request(order: Order, request: CancellationRequested) -> Decision:
    """Let the customer see that somebody asked."""
    match order.cancellation:
        case "not asked for":
            return order.but(cancellation="asked for")
        case "asked for" | "refused":
            return nothing
        case unreachable:
            assert_never(unreachable)


@order.on(CancellationRefused)
def note_refusal(order: Order, refused: CancellationRefused) -> Decision:
    """Let the customer see that it was too late."""
    return order.but(cancellation="refused")


@order.deadline(after=OrderCreated, within=timedelta(minutes=15), name="overdue")
def give_up(order: Order, deadline: Deadline) -> Decision[CancellationRequested]:
    """An order that has not ended in time asks to be cancelled; shipping decides."""
    match order.status:
        case "placed":
            return CancellationRequested(order_id=order.order_id, reason="not completed in time")
        case "unknown" | "completed" | "cancelled":
            return nothing
        case unreachable:
            assert_never(unreachable)


def _cancel(order: Order, reason: str) -> Decision[OrderCancelled]:
    match order.status:
        case "unknown":
            return order.but(status="cancelled", reason=reason)
        case "placed":
            cancelled = order.but(status="cancelled", reason=reason)
            return cancelled, _cancelled(cancelled)
        case "completed" | "cancelled":
            return nothing
        case unreachable:
            assert_never(unreachable)


def _completed(order: Order) -> OrderCompleted:
    return OrderCompleted(order_id=order.order_id, customer_id=order.customer_id)


def _cancelled(order: Order) -> OrderCancelled:
    return OrderCancelled(
        order_id=order.order_id, customer_id=order.customer_id, reason=order.reason, lines=order.lines
    )
