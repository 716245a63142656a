"""A reaction that is not total: shipping has no answer to a cancellation that comes too late."""

from apps.checkout.contracts import CancellationRefused, CancellationRequested, ShipmentWithheld
from apps.checkout.shipping import Shipment, shipping, withhold
from choreography import Decision
from choreography.explore.model import Model
from tests.explore.twins.altered import altered


def only_in_time(
    shipment: Shipment, request: CancellationRequested
) -> Decision[ShipmentWithheld | CancellationRefused]:
    """Decide as long as there is something to decide."""
    if shipment.status == "dispatched":
        raise ValueError("too late")
    return withhold(shipment, request)


model = Model.of("apps.checkout").but(altered(shipping, withhold=only_in_time))
