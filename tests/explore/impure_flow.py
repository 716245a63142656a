"""A small flow with every sort of function; a test can make each one depend on more than its input."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import platform
import random
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, timedelta
from datetime import datetime as moment
from os import getpid
from pathlib import Path
from typing import Any

from choreography import Answer, Deadline, Decision, Entity, Event, Intent, NewId, Outside, Request, Service, Value
from choreography.explore import Reply, Scenario, World, always, outside, scenario
from choreography.explore.model import Model
from choreography.explore.properties import nothing_is_quarantined

Flaw = Callable[[str], str]
"""A function of a text that looks at something else as well."""


class Ordered(Event, owner="shop", subject="order_id", type="lot.ordered.v1"):
    """Somebody wants a lot."""

    order_id: str
    note: str = ""


class Paid(Event, owner="shop", subject="order_id", type="lot.paid.v1"):
    """Somebody has paid for it."""

    order_id: str


class Drawn(Event, owner="lottery", subject="order_id", type="lot.drawn.v1"):
    """A lot was drawn."""

    order_id: str
    lot: str


class Lot(Entity, key="order_id"):
    """One lot, and what each function of the flow has written on it."""

    order_id: str
    lot: str = ""
    both: str = ""
    late: str = ""
    turned: str = ""


class Result(Value):
    """A row of a table of the lottery's own."""

    order_id: str
    shown: str


class Order(Entity, key="order_id"):
    """What the shop keeps of an order."""

    order_id: str
    note: str = ""


class Turn(Intent):
    """The wheel is to be turned."""

    order_id: str


class Turned(Answer, type="wheel.turned.v1"):
    """The wheel was turned."""

    order_id: str


class NewOrder(Request):
    """What somebody wants."""

    note: str = "none"


PLACES = {
    "a reaction": "lottery.draw",
    "a join": "lottery.both",
    "a deadline": "lottery.late",
    "an answer": "lottery.turn",
    "a projection": "lottery.results of lot order-1",
    "a command": "shop.place",
    "an effect": "lottery.ask",
    "an outside": "the outside wheel",
    "a property": "the property seen",
    "a scenario": "the scenario orders",
}
"""Where a flaw can be, and the name that an error must have."""


def flawed(place: str, flaw: Flaw) -> Model:
    """Return the flow with a flaw in one place, or everywhere."""

    def at(other: str) -> Flaw:
        return flaw if place in (other, "everywhere") else str

    @scenario
    def orders(orders: int = 1) -> Scenario:
        """So many orders."""
        flows = tuple(f"order-{number}" for number in range(1, orders + 1))
        begun = [Ordered(order_id=one, note=at("a scenario")("scenario")) for one in flows]
        return Scenario(flows, says=(*begun, *(Paid(order_id=one) for one in flows)))

    @always
    def seen(world: World, order_id: str) -> bool:
        """An order is known by its id."""
        world.said(Drawn, at("a property")(order_id))
        return True

    @outside("wheel")
    def wheel(path: str, _body: Mapping[str, Any]) -> Iterable[Reply]:
        return (Reply(200, {"turns": at("an outside")(path)}),)

    services = (_shop(at("a command")), _lottery(at))
    return Model("lottery", services, (nothing_is_quarantined, seen), {"orders": orders}, {"wheel": wheel})


def _shop(placed: Flaw) -> Service:
    shop = Service("shop", publishes=[Ordered, Paid])

    @shop.command("POST /orders")
    def place(new: NewOrder, order_id: NewId) -> Ordered:
        return Ordered(order_id=order_id, note=placed(new.note))

    @shop.on(Ordered)
    def follow(order: Order, ordered: Ordered) -> Decision:
        return order.but(note=ordered.note)

    return shop


def _lottery(at: Callable[[str], Flaw]) -> Service:
    lottery = Service("lottery", publishes=[Drawn])

    @lottery.on(Ordered)
    def draw(kept: Lot, ordered: Ordered) -> Decision[Drawn | Turn]:
        lot = at("a reaction")(ordered.order_id)
        return kept.but(lot=lot), Drawn(order_id=ordered.order_id, lot=lot), Turn(order_id=ordered.order_id)

    @lottery.when_all(Ordered, Paid)
    def both(kept: Lot, ordered: Ordered, paid: Paid) -> Decision:
        assert paid.order_id == ordered.order_id
        return kept.but(both=at("a join")(ordered.order_id))

    @lottery.deadline(after=Ordered, within=timedelta(minutes=5))
    def late(kept: Lot, deadline: Deadline) -> Decision:
        assert deadline.name
        return kept.but(late=at("a deadline")(kept.order_id))

    @lottery.effect(outside="wheel")
    async def ask(wish: Turn, wheel: Outside) -> Turned:
        await wheel.post(f"/turns/{at('an effect')('ask')}", wish)
        return Turned(order_id=wish.order_id)

    @lottery.on(Turned)
    def turn(kept: Lot, turned: Turned) -> Decision:
        return kept.but(turned=at("an answer")(turned.order_id))

    @lottery.projection("results", key=("order_id",))
    def results(lot: Lot) -> Result:
        return Result(order_id=lot.order_id, shown=at("a projection")(lot.lot))

    return lottery


def counting() -> Flaw:
    """Return a flaw that counts its calls."""
    counted = itertools.count()
    return lambda _: str(next(counted))


def remembering() -> Flaw:
    """Return a flaw that gives another result for a repeated input."""
    seen: list[str] = []

    def come(key: str) -> str:
        seen.append(key)
        return str(seen.count(key) > 1)

    return come


def failing_now_and_then() -> Flaw:
    """Return a flaw that fails every second time."""
    counted = itertools.count()

    def fail(_: str) -> str:
        if next(counted) % 2:
            raise ValueError("odd")
        return "even"

    return fail


def counting_in_a_file() -> Flaw:
    """Return a flaw that counts its calls in a file."""
    path = Path(tempfile.mkdtemp()) / "count"
    path.write_text("")

    def count(_: str) -> str:
        path.write_text(f"{path.read_text()}.")
        return path.read_text()

    return count


AT_ONCE: dict[str, Callable[[], Flaw]] = {
    "random": lambda: lambda _: str(random.random()),
    "uuid": lambda: lambda _: uuid.uuid4().hex,
    "now": lambda: lambda _: moment.now(UTC).isoformat(),
    "the year": lambda: lambda _: str(moment.now(UTC).year),
    "today": lambda: lambda _: date.today().isoformat(),  # noqa: DTZ011 - it is the flaw
    "today by its module": lambda: lambda _: dt.date.today().isoformat(),  # noqa: DTZ011 - it is the flaw
    "now by its module": lambda: lambda _: str(dt.datetime.now(UTC).year),
    "the clock": lambda: lambda _: str(time.time() // 86400),
    "a counter": counting,
    "a list that outlives the call": remembering,
    "a counter in a file": counting_in_a_file,
    "a variable of the environment": lambda: lambda _: os.environ.get("HOME", ""),
    "a variable that is not set": lambda: lambda _: os.getenv("NEVER_SET", "5"),
    "the process": lambda: lambda _: str(os.getpid()),
    "the process by its name": lambda: lambda _: str(getpid()),
    "the working directory": lambda: lambda _: os.getcwd(),  # noqa: PTH109 - it is the flaw
    "the host": lambda: lambda _: socket.gethostname(),
    "the machine": lambda: lambda _: platform.node(),
}
"""Flaws that show when a function is called twice in a row; each is made anew, so that none remembers another test."""

SALT = uuid.uuid4().hex
"""Another one in each process."""

flawed_everywhere = flawed("everywhere", lambda _: SALT)
flawed_in_command = flawed("a command", lambda _: SALT)
flawed_in_projection = flawed("a projection", lambda _: SALT)
pure = flawed("nowhere", str)
