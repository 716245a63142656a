"""Shipping waits until an order is both reserved and paid, then dispatches it. It is the point of no return."""

from typing import Literal, assert_never

from apps.checkout.contracts import (
    CancellationRefused,
    CancellationRequested,
    PaymentCharged,
    ShipmentDispatched,
    ShipmentWithheld,
    StockReserved,
)
from choreography import Decision, Entity, Id, Service, nothing


class Shipment(Entity, key="order_id"):
    """Whether one order's parcel waits, has left, or never will."""

    order_id: Id
    status: Literal["waiting", "dispatched", "withheld"] = "waiting"


shipping = Service("shipping", publishes=[ShipmentDispatched, ShipmentWithheld, CancellationRefused])


@shipping.when_all(StockReserved, PaymentCharged)
def dispatch(shipment: Shipment, reserved: StockReserved, paid: PaymentCharged) -> Decision[ShipmentDispatched]:
    """Dispatch what is both reserved and paid."""
    match shipment.status:
        case "waiting":
            return shipment.but(status="dispatched"), ShipmentDispatched(order_id=shipment.order_id)
        case "withheld" | "dispatched":
            return nothing
        case unreachable:
            assert_never(unreachable)


@shipping.on(CancellationRequested)
def withhold(shipment: Shipment, request: CancellationRequested) -> Decision[ShipmentWithheld | CancellationRefused]:
    """Decide whether there is still time."""
    match shipment.status:
        case "waiting":
            return shipment.but(status="withheld"), ShipmentWithheld(order_id=request.order_id, reason=request.reason)
        case "dispatched":
            return CancellationRefused(order_id=request.order_id, reason="already dispatched")
        case "withheld":
            return nothing
        case unreachable:
            assert_never(unreachable)
