"""Inventory reserves stock for an order, every line or none, and releases it when the order is cancelled.

A shelf is two counters, so a product that thousands of orders fight for stays as small as any other.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, assert_never

from pydantic import Field

from apps.checkout.contracts import (
    Line,
    OrderCancelled,
    OrderCreated,
    Sku,
    StockAdded,
    StockRejected,
    StockReleased,
    StockReserved,
)
from choreography import Decision, Entity, Id, Request, Service, named_by, nothing


class Shelf(Entity, key="sku"):
    """How many of one product can still be had, and how many orders have taken."""

    sku: str
    available: Annotated[int, Field(ge=0)] = 0
    taken: Annotated[int, Field(ge=0)] = 0


class Reservation(Entity, key="order_id"):
    """What one order took."""

    order_id: Id
    status: Literal["new", "held", "rejected", "released", "cancelled"] = "new"


Shelves = Annotated[Mapping[str, Shelf], named_by("lines.sku")]

inventory = Service("inventory", publishes=[StockAdded, StockReserved, StockRejected, StockReleased])


class NewStock(Request):
    """Goods that came in."""

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=1_000_000_000)]


@inventory.command("POST /stock")
def add(new: NewStock) -> StockAdded:
    """Put goods on a shelf."""
    return StockAdded(sku=new.sku, quantity=new.quantity)


inventory.view("/stock/{sku}", Shelf)


@inventory.on(StockAdded)
def stock_up(shelf: Shelf, added: StockAdded) -> Decision:
    """Goods came in."""
    return shelf.but(available=shelf.available + added.quantity)


@inventory.on(OrderCreated)
def reserve(
    reservation: Reservation, shelves: Shelves, created: OrderCreated
) -> Decision[StockReserved | StockRejected]:
    """Reserve every line, or none. If the cancellation came first, there is nothing to do."""
    match reservation.status:
        case "new":
            wanted = _quantities(created.lines)
            short = sorted(sku for sku, quantity in wanted.items() if shelves[sku].available < quantity)
            if short:
                reason = f"not enough {short[0]}"
                return reservation.but(status="rejected"), StockRejected(order_id=created.order_id, reason=reason)
            taken = (_moved(shelves[sku], quantity) for sku, quantity in wanted.items())
            return (reservation.but(status="held"), *taken, StockReserved(order_id=created.order_id))
        case "held" | "rejected" | "released" | "cancelled":
            return nothing
        case unreachable:
            assert_never(unreachable)


@inventory.on(OrderCancelled)
def release(reservation: Reservation, shelves: Shelves, cancelled: OrderCancelled) -> Decision[StockReleased]:
    """Put back what the order took, or remember that it must not take anything any more."""
    match reservation.status:
        case "held":
            back = (_moved(shelves[sku], -quantity) for sku, quantity in _quantities(cancelled.lines).items())
            return (reservation.but(status="released"), *back, StockReleased(order_id=cancelled.order_id))
        case "new":
            return reservation.but(status="cancelled")
        case "rejected" | "released" | "cancelled":
            return nothing
        case unreachable:
            assert_never(unreachable)


def _quantities(lines: tuple[Line, ...]) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return wanted


def _moved(shelf: Shelf, quantity: int) -> Shelf:
    return shelf.but(available=shelf.available - quantity, taken=shelf.taken + quantity)
