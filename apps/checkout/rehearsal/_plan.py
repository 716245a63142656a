"""Which orders the rehearsal sends: decided by their number alone, so that every run has the same cast."""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, NamedTuple

HOT = "limited-edition"
SHELF = (
    "apron", "basket", "candle", "duvet", "easel", "fountain-pen",
    "globe", "hammock", "inkwell", "jigsaw", "kettle", "lantern",
)  # fmt: skip
CARD_LIMIT = 100_000
"""Above this many cents the provider declines. Every ordinary order stays below it."""

HOT_SHARE = 0.6
"""How much of the hot article's demand is in stock: some customers must hear no."""

SPARE_STOCK = 10

Kind = Literal["ordinary", "over the card's limit", "withdrawn by the customer", "invalid"]


class Line(NamedTuple):
    """One line of an order."""

    sku: str
    quantity: int
    unit_price: int


@dataclass(frozen=True)
class Planned:
    """One order, before it is sent."""

    number: int
    key: str
    kind: Kind
    lines: tuple[Line, ...]
    body: dict[str, Any]
    sent_twice: bool

    @property
    def total(self) -> int:
        """What the customer should pay."""
        return sum(line.quantity * line.unit_price for line in self.lines)


def plan(run: str, orders: int) -> list[Planned]:
    """Decide every order of a run."""
    return [_planned(run, number) for number in range(orders)]


def stock_wanted(planned: list[Planned]) -> dict[str, int]:
    """Say how much should lie on the shelf: plenty of everything, too little of the hot article."""
    demand = asked_for(planned)
    wanted = {sku: demand[sku] + SPARE_STOCK for sku in SHELF}
    return wanted | {HOT: max(1, int(demand[HOT] * HOT_SHARE))}


def asked_for(planned: list[Planned]) -> Counter[str]:
    """Sum up what the valid orders want of each article."""
    demand: Counter[str] = Counter()
    for order in planned:
        if order.kind != "invalid":
            for line in order.lines:
                demand[line.sku] += line.quantity
    return demand


def _planned(run: str, number: int) -> Planned:
    kind = _kind(number)
    lines = _lines(number, kind)
    body: dict[str, Any] = {
        "customer_id": f"customer-{_draw(number, 'customer', 500)}",
        "currency": "EUR",
        "lines": [line._asdict() for line in lines],
    }
    if kind == "invalid":
        _spoil(body, number // 20 % 5)
    # Eleven shares no factor with the other cycles, so every kind of order is sometimes sent twice.
    return Planned(number, f"{run}-{number}", kind, lines, body, sent_twice=number % 11 == 4)


def _kind(number: int) -> Kind:
    # Cycles rather than chance: even a run of thirty orders shows every kind.
    if number % 20 == 7:
        return "invalid"
    if number % 14 == 3:
        return "over the card's limit"
    if number % 12 == 5:
        return "withdrawn by the customer"
    return "ordinary"


def _lines(number: int, kind: Kind) -> tuple[Line, ...]:
    first = _draw(number, "first", len(SHELF))
    lines = [
        Line(
            sku=SHELF[(first + 5 * position) % len(SHELF)],
            quantity=1 + _draw(number, f"quantity {position}", 3),
            unit_price=100 + _draw(number, f"price {position}", 9_800),
        )
        for position in range(1 + _draw(number, "lines", 3))
    ]
    if kind == "over the card's limit":
        lines[0] = lines[0]._replace(quantity=2, unit_price=CARD_LIMIT - 20_000)
    if number % 3 == 0:
        lines.append(Line(HOT, 1, 4_900))
    return tuple(lines)


def _spoil(body: dict[str, Any], way: int) -> None:
    """Make the order one that the service must refuse."""
    match way:
        case 0:
            body["lines"] = []
        case 1:
            body["lines"][0]["quantity"] = 0
        case 2:
            body["lines"][0]["unit_price"] = -1
        case 3:
            del body["customer_id"]
        case _:
            body["discount"] = "all of it"


def _draw(number: int, what: str, below: int) -> int:
    return int.from_bytes(sha256(f"{number}/{what}".encode()).digest()[:4], "big") % below
