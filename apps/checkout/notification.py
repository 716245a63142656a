"""Notification tells the customer how the order ended. It was added without touching any other service."""

from typing import Literal, assert_never

from apps.checkout.contracts import OrderCancelled, OrderCompleted
from choreography import Decision, Entity, Id, Service, nothing


class Notice(Entity, key="order_id"):
    """What the customer was told about one order."""

    order_id: Id
    customer_id: str = ""
    told: Literal["nothing", "completed", "cancelled"] = "nothing"
    reason: str = ""


notification = Service("notification")


@notification.on(OrderCompleted)
def tell_completed(notice: Notice, completed: OrderCompleted) -> Decision:
    """Tell the customer that the parcel is on its way."""
    match notice.told:
        case "nothing":
            return notice.but(customer_id=completed.customer_id, told="completed")
        case "completed" | "cancelled":
            return nothing
        case unreachable:
            assert_never(unreachable)


@notification.on(OrderCancelled)
def tell_cancelled(notice: Notice, cancelled: OrderCancelled) -> Decision:
    """Tell the customer that the order is cancelled, and why."""
    match notice.told:
        case "nothing":
            return notice.but(customer_id=cancelled.customer_id, told="cancelled", reason=cancelled.reason)
        case "completed" | "cancelled":
            return nothing
        case unreachable:
            assert_never(unreachable)


notification.view("/notices/{order_id}", Notice)
