"""A deadline that beats completion: an order that is late is cancelled, though its parcel may be on its way."""

from apps.checkout.contracts import OrderCancelled
from apps.checkout.order import Order, order
from choreography import Deadline, Decision, nothing
from choreography.explore.model import Model
from tests.explore.twins.altered import altered


def give_up(order: Order, deadline: Deadline) -> Decision[OrderCancelled]:
    """Cancel what has not ended."""
    if order.status != "placed":
        return nothing
    cancelled = order.but(status="cancelled", reason=f"not completed by {deadline.due:%H:%M}")
    return cancelled, OrderCancelled(
        order_id=order.order_id, customer_id=order.customer_id, reason=cancelled.reason, lines=order.lines
    )


model = Model.of("apps.checkout").but(altered(order, overdue=give_up))
