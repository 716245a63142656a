"""Notification tells the customer how the order ended. It was added without touching any other service."""

from typing import Literal

from apps.checkout.contracts import OrderCancelled, OrderCompleted
from choreography import Decision, Entity, Id, Service, nothing


class Notice(Entity, key="order_id"):
    """What a customer was told about one order."""

    order_id: Id
    customer_id: str = ""
    told: Literal["nothing", "completed", "cancelled"] = "nothing"
    reason: str = ""


notification = Service("notification")


@notification.on(OrderCompleted)
def tell_completed(notice: Notice, completed: OrderCompleted) -> Decision:
    """Tell the customer that the parcel is on its way."""
    if notice.told != "nothing":
        return nothing
    return notice.but(customer_id=completed.customer_id, told="completed")


@notification.on(OrderCancelled)
def tell_cancelled(notice: Notice, cancelled: OrderCancelled) -> Decision:
    """Tell the customer that the order is cancelled, and why."""
    if notice.told != "nothing":
        return nothing
    return notice.but(customer_id=cancelled.customer_id, told="cancelled", reason=cancelled.reason)


notification.view("/notices/{order_id}", Notice)
