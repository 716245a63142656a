"""A status overwritten by an older event: whoever hears of an order takes it for a new one."""

from apps.checkout.contracts import OrderCancelled, OrderCompleted, OrderCreated
from apps.checkout.order import Order, order
from choreography import Decision
from choreography.explore.model import Model
from tests.explore.twins.altered import altered


def begin(order: Order, created: OrderCreated) -> Decision[OrderCompleted | OrderCancelled]:
    """Begin to follow an order, as if nothing could have happened to it before."""
    return order.but(
        status="placed",
        customer_id=created.customer_id,
        currency=created.currency,
        lines=created.lines,
        total=created.total,
    )


model = Model.of("apps.checkout").but(altered(order, follow=begin))
