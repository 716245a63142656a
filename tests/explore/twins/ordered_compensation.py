"""A compensation that assumes order: inventory believes that a cancellation never overtakes its order."""

from apps.checkout.contracts import OrderCancelled, StockReleased
from apps.checkout.inventory import Reservation, Shelves, inventory, release
from choreography import Decision, nothing
from choreography.explore.model import Model
from tests.explore.twins.altered import altered


def hasty(reservation: Reservation, shelves: Shelves, cancelled: OrderCancelled) -> Decision[StockReleased]:
    """Put back what the order took; what took nothing yet is forgotten."""
    if reservation.status == "new":
        return nothing
    return release(reservation, shelves, cancelled)


model = Model.of("apps.checkout").but(altered(inventory, release=hasty))
