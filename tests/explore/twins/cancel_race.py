"""A cancel race: the order cancels as soon as it is asked, and does not wait for shipping to decide."""

from apps.checkout.contracts import CancellationRequested, OrderCancelled
from apps.checkout.order import Order, order
from choreography import Decision, nothing
from choreography.explore.model import Model
from tests.explore.twins.altered import altered


def at_once(order: Order, request: CancellationRequested) -> Decision[OrderCancelled]:
    """Cancel what is not completed yet."""
    if order.status != "placed":
        return nothing
    cancelled = order.but(status="cancelled", reason=request.reason)
    return cancelled, OrderCancelled(
        order_id=order.order_id, customer_id=order.customer_id, reason=request.reason, lines=order.lines
    )


model = Model.of("apps.checkout").but(altered(order, note_request=at_once))
