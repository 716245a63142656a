"""A flow of any size, made in memory: lanes of services, each as large as a small checkout, that counts its calls."""

from collections import Counter
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from choreography import Deadline, Decision, Entity, Event, Id, Service, nothing

Count = Annotated[int, Field(ge=0)]


def lanes(number: int, calls: Counter[str]) -> list[Service]:
    """Return the services of several lanes."""
    return [service for place in range(number) for service in _lane(place, calls)]


def _lane(place: int, calls: Counter[str]) -> list[Service]:
    class Ordered(Event, owner=f"orders{place}", subject="order_id", type=f"ordered{place}.said.v1"):
        order_id: Id
        sku: Id
        express: bool = False
        channel: Literal["web", "shop", "phone"] = "web"

    class Reserved(Event, owner=f"stock{place}", subject="order_id", type=f"reserved{place}.said.v1"):
        order_id: Id
        sku: Id
        place: Literal["north", "south", "east", "west"] = "north"

    class Paid(Event, owner=f"money{place}", subject="order_id", type=f"paid{place}.said.v1"):
        order_id: Id
        means: Literal["card", "cash", "bill"] = "card"

    class Sent(Event, owner=f"parcels{place}", subject="order_id", type=f"sent{place}.said.v1"):
        order_id: Id
        sku: Id

    class Late(Event, owner=f"parcels{place}", subject="order_id", type=f"late{place}.said.v1", final=True):
        order_id: Id

    class Order(Entity, key="order_id"):
        order_id: Id
        status: Literal["new", "open", "reserved", "paid", "sent", "late"] = "new"
        express: bool = False

    class Ledger(Entity, key="sku"):
        sku: Id
        days: tuple[Literal["north", "south", "east", "west"], ...] = ()
        open: Count = 0

    class Shelf(Entity, key="sku"):
        sku: Id
        status: Literal["empty", "low", "full", "blocked"] = "full"
        cold: bool = False
        level: Literal[1, 2, 3, 4] = 1
        left: Count = 9

    class Bill(Entity, key="order_id"):
        order_id: Id
        status: Literal["open", "paid"] = "open"

    class Parcel(Entity, key="order_id"):
        order_id: Id
        status: Literal["waiting", "sent", "late"] = "waiting"

    orders, stock = Service(f"orders{place}", publishes=[Ordered]), Service(f"stock{place}", publishes=[Reserved])
    money, parcels = Service(f"money{place}", publishes=[Paid]), Service(f"parcels{place}", publishes=[Sent, Late])

    @orders.on(Paid)
    def follow(order: Order, paid: Paid) -> Decision:
        calls["follow"] += 1
        return order.but(status="paid") if paid.means != "bill" else nothing

    @stock.on(Ordered)
    def reserve(shelf: Shelf, ledger: Ledger, ordered: Ordered) -> Decision[Reserved]:
        calls["reserve"] += 1
        if shelf.status == "blocked" or shelf.left == 0:
            return nothing
        where = ("north", "south", "east", "west")[shelf.level - 1]
        said = Reserved(order_id=ordered.order_id, sku=ordered.sku)
        return shelf.but(left=shelf.left - 1), ledger.but(days=(*ledger.days, where), open=ledger.open + 1), said

    @stock.on(Sent)
    def count(ledger: Ledger, shelf: Shelf, _sent: Sent) -> Decision:
        calls["count"] += 1
        return ledger.but(days=ledger.days[:-1]), shelf.but(status="low")

    @money.on(Ordered)
    def charge(bill: Bill, _ordered: Ordered) -> Decision[Paid]:
        calls["charge"] += 1
        return (bill.but(status="paid"), Paid(order_id=bill.order_id)) if bill.status == "open" else nothing

    @parcels.when_all(Reserved, Paid)
    def send(parcel: Parcel, reserved: Reserved, _paid: Paid) -> Decision[Sent]:
        calls["send"] += 1
        if parcel.status != "waiting":
            return nothing
        return parcel.but(status="sent"), Sent(order_id=parcel.order_id, sku=reserved.sku)

    @parcels.deadline(after=Reserved, within=timedelta(minutes=30))
    def give_up(parcel: Parcel, _due: Deadline) -> Decision[Late]:
        calls["give_up"] += 1
        return (parcel.but(status="late"), Late(order_id=parcel.order_id)) if parcel.status == "waiting" else nothing

    return [orders, stock, money, parcels]
