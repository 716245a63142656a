"""A join that forgets one side: shipping dispatches as soon as the money is there."""

from apps.checkout.contracts import PaymentCharged, ShipmentDispatched
from apps.checkout.shipping import Shipment, shipping
from choreography import Decision, nothing
from choreography.explore.model import Model
from tests.explore.twins.altered import altered

twin = altered(shipping, without=["dispatch"])


@twin.on(PaymentCharged)
def dispatch(shipment: Shipment, paid: PaymentCharged) -> Decision[ShipmentDispatched]:
    """Dispatch what is paid."""
    if shipment.status != "waiting":
        return nothing
    return shipment.but(status="dispatched"), ShipmentDispatched(order_id=paid.order_id)


model = Model.of("apps.checkout").but(twin)
