"""What must be true of checkout, whatever arrives whenever: the model checker holds the services to it.

An order ends completed, paid once and dispatched, or cancelled with money and stock given back; never in between.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.checkout.contracts import (
    CancellationRefused,
    CancellationRequested,
    Line,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    PaymentCharged,
    PaymentRefunded,
    ShipmentDispatched,
    StockAdded,
    StockReserved,
)
from apps.checkout.inventory import Reservation, Shelf
from apps.checkout.notification import Notice
from apps.checkout.order import Order
from apps.checkout.payment import Cancelled, Declined, Payment, Refunded
from apps.checkout.shipping import Shipment
from choreography.explore import Reply, Scenario, World, always, eventually, never, outside, scenario, sometimes

PRICE = 500
PROVIDER = "payment-provider"


@scenario
def orders(orders: int = 1, stock: int = 1, cancel: bool = False, restock: bool = False) -> Scenario:
    """So many orders of one cup each, and so many cups. Customers may ask to be let out, one more cup may come in."""
    flows = tuple(f"order-{number}" for number in range(1, orders + 1))
    line = Line(sku="cup", quantity=1, unit_price=PRICE)
    placed = [OrderCreated(order_id=one, customer_id="c1", currency="EUR", lines=(line,), total=PRICE) for one in flows]
    requests = [CancellationRequested(order_id=one, reason="changed my mind") for one in flows if cancel]
    goods = [StockAdded(sku="cup", quantity=1)] if restock else []
    return Scenario(flows, keeps=(Shelf(sku="cup", available=stock),), says=(*placed, *requests, *goods))


@outside(PROVIDER)
def provider(path: str, body: Mapping[str, Any]) -> Iterable[Reply]:
    """It charges or refuses; what it charged it refunds."""
    if path == "/charges":
        return (Reply(201, {"charge_id": f"charge of {body['order_id']}"}), Reply(402, {"reason": "no cover"}))
    return (Reply(201, {}),)


def charged(world: World, order_id: str) -> int:
    """How much the provider took for an order."""
    return _moved(world, order_id, "/charges")


def refunded(world: World, order_id: str) -> int:
    """How much the provider gave back."""
    return _moved(world, order_id, "/refunds")


def _moved(world: World, order_id: str, path: str) -> int:
    calls = [call for call in world.calls(PROVIDER, order_id) if call.path == path and call.status < 400]
    return sum(call.body["amount"] for call in calls)


@never
def dispatched_and_refunded(world: World, order_id: str) -> bool:
    """Whoever has the parcel has paid for it."""
    return bool(world.said(ShipmentDispatched, order_id)) and refunded(world, order_id) > 0


@never
def dispatched_and_cancelled(world: World, order_id: str) -> bool:
    """What has left is not cancelled any more."""
    return bool(world.said(ShipmentDispatched, order_id) and world.said(OrderCancelled, order_id))


@never
def dispatched_too_early(world: World, order_id: str) -> bool:
    """Nothing leaves before it is both reserved and paid."""
    reserved, paid = world.said(StockReserved, order_id), world.said(PaymentCharged, order_id)
    return bool(world.said(ShipmentDispatched, order_id)) and not (reserved and paid)


@never
def charged_twice(world: World, order_id: str) -> bool:
    """Nobody pays twice for one order."""
    return charged(world, order_id) > PRICE


@never
def refunded_without_charge(world: World, order_id: str) -> bool:
    """Nobody gets back what they have not paid."""
    return refunded(world, order_id) > charged(world, order_id)


@never
def ended_twice(world: World, order_id: str) -> bool:
    """An order is told to be completed, or cancelled, once."""
    return len(world.said(OrderCompleted, order_id)) + len(world.said(OrderCancelled, order_id)) > 1


@always
def stock_is_conserved(world: World) -> bool:
    """What was taken from the shelf is what reservations hold, and nobody took what was not there."""
    held = sum(reservation.status == "held" for reservation in world.every(Reservation))
    return all(shelf.available >= 0 and shelf.taken == held for shelf in world.every(Shelf))


@always
def an_end_stays_an_end(world: World, order_id: str) -> bool:
    """What was announced is what the order says."""
    order = world.state_of(Order, order_id)
    completed, cancelled = world.said(OrderCompleted, order_id), world.said(OrderCancelled, order_id)
    return (not completed or order.status == "completed") and (not cancelled or order.status == "cancelled")


@eventually
def every_order_ends(world: World, order_id: str) -> bool:
    """Completed or cancelled, and the customer was told the same."""
    order = world.state_of(Order, order_id)
    return order.status in ("completed", "cancelled") and world.state_of(Notice, order_id).told == order.status


@eventually
def completed_is_charged_once_and_dispatched(world: World, order_id: str) -> bool:
    """A completed order is paid, kept and on its way."""
    if world.state_of(Order, order_id).status != "completed":
        return True
    return (
        charged(world, order_id) - refunded(world, order_id) == PRICE
        and world.state_of(Shipment, order_id).status == "dispatched"
        and world.state_of(Reservation, order_id).status == "held"
    )


@eventually
def cancelled_is_given_back(world: World, order_id: str) -> bool:
    """A cancelled order costs nothing and holds nothing."""
    if world.state_of(Order, order_id).status != "cancelled":
        return True
    return (
        charged(world, order_id) == refunded(world, order_id)
        and isinstance(world.state_of(Payment, order_id).state, Declined | Refunded | Cancelled)
        and world.state_of(Reservation, order_id).status in ("rejected", "released", "cancelled")
        and world.state_of(Shipment, order_id).status != "dispatched"
    )


@sometimes(stock=1)
def completed(world: World, order_id: str) -> bool:
    """An order can be completed."""
    return bool(world.said(OrderCompleted, order_id))


@sometimes
def cancelled_without_payment(world: World, order_id: str) -> bool:
    """An order can be cancelled because the provider refuses."""
    return _cancelled_because(world, order_id, "no cover")


@sometimes
def cancelled_in_time(world: World, order_id: str) -> bool:
    """An order that takes too long is cancelled."""
    return _cancelled_because(world, order_id, "not completed in time")


@sometimes
def cancelled_while_charging(world: World, order_id: str) -> bool:
    """An order can be cancelled while the provider thinks; it is refunded at once."""
    match world.state_of(Payment, order_id).state:
        case Refunded(cancelled_meanwhile=True):
            return bool(world.said(PaymentRefunded, order_id))
        case _:
            return False


@sometimes(stock=0)
def cancelled_without_stock(world: World, order_id: str) -> bool:
    """An order can be cancelled because the shelf is empty."""
    return _cancelled_because(world, order_id, "not enough cup")


@sometimes(cancel=True)
def cancelled_as_asked(world: World, order_id: str) -> bool:
    """A customer can be let out."""
    return _cancelled_because(world, order_id, "changed my mind")


@sometimes(stock=1)
def refused_to_cancel(world: World, order_id: str) -> bool:
    """It can be too late to cancel."""
    return bool(world.said(CancellationRefused, order_id) and world.said(OrderCompleted, order_id))


def _cancelled_because(world: World, order_id: str, reason: str) -> bool:
    return any(cancelled.reason == reason for cancelled in world.said(OrderCancelled, order_id))
