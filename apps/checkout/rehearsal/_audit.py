"""What must be true after any run, whatever failed on the way. Pure: observations in, findings out."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from apps.checkout.rehearsal._plan import Planned
from apps.checkout.rehearsal._shop import Stock, Sums


@dataclass
class Seen:
    """What was seen of one order."""

    planned: Planned
    answered: int = 0
    order_id: str | None = None
    other_ids: set[str] = field(default_factory=set)
    status: str = "accepted"
    status_later: str | None = None
    """What the order said when the books were read, after everything had ended."""
    reason: str | None = None
    total: int | None = None
    sent_at: float = 0.0
    ended_at: float | None = None
    look_again_at: float = 0.0
    charges: list[int] = field(default_factory=list)
    refunds: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What to look it up by."""
        return self.order_id or self.planned.key

    @property
    def accepted(self) -> bool:
        """Whether the order service took it."""
        return self.order_id is not None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it but compensations."""
        return self.status in {"completed", "cancelled"}


@dataclass(frozen=True)
class Evidence:
    """All that the rules look at."""

    orders: list[Seen]
    before: Sums
    after: Sums
    delivered: dict[str, int]
    lowest: dict[str, int]
    """The smallest stock ever read of each article."""

    def sold(self) -> Counter[str]:
        """Sum up what the completed orders hold of each article."""
        sold: Counter[str] = Counter()
        for order in self.having("completed"):
            for line in order.planned.lines:
                sold[line.sku] += line.quantity
        return sold

    def having(self, status: Literal["completed", "cancelled"]) -> list[Seen]:
        """Return the orders that ended this way."""
        return [order for order in self.orders if order.status == status]

    @property
    def kept(self) -> int:
        """What the provider took in this run and did not give back."""
        return (self.after.charged - self.before.charged) - (self.after.refunded - self.before.refunded)


class Finding(NamedTuple):
    """Whether one rule holds, and who breaks it."""

    rule: str
    detail: str
    offenders: list[str]
    settles: bool = True
    """Whether waiting for compensations may still mend it."""

    @property
    def holds(self) -> bool:
        """Whether nobody breaks it."""
        return not self.offenders


def audit(evidence: Evidence) -> list[Finding]:
    """Judge every rule."""
    orders = evidence.orders
    accepted = [order for order in orders if order.accepted]
    invalid = [order for order in orders if order.planned.kind == "invalid"]
    valid = [order for order in orders if order.planned.kind != "invalid"]
    twice = [order for order in accepted if order.planned.sent_twice]
    ended = [order for order in accepted if order.ended]
    completed, cancelled = evidence.having("completed"), evidence.having("cancelled")
    return [
        _fixed("Every valid order was accepted", valid, lambda seen: seen.accepted),
        _fixed("Every invalid order was refused with 422", invalid, lambda seen: seen.answered == 422),
        _fixed("A request sent twice is one order", twice, lambda seen: seen.other_ids <= {seen.order_id}),
        _fixed("Every accepted order ended", accepted, lambda seen: seen.ended),
        _fixed("An ended order stays as it ended", ended, lambda seen: seen.status_later == seen.status),
        _each("Totals are the sum of the lines", completed, lambda seen: seen.total == seen.planned.total),
        _each("Completed orders were charged once, never refunded", completed, _paid_once),
        _each("Cancelled orders cost nothing, at most one charge", cancelled, _paid_nothing),
        _money(evidence),
        *_stock(evidence),
    ]


def _each(rule: str, orders: list[Seen], holds: Callable[[Seen], bool]) -> Finding:
    return Finding(rule, f"{len(orders):,} orders", [order.name for order in orders if not holds(order)])


def _fixed(rule: str, orders: list[Seen], holds: Callable[[Seen], bool]) -> Finding:
    return _each(rule, orders, holds)._replace(settles=False)


def _paid_once(order: Seen) -> bool:
    return order.charges == [order.total] and not order.refunds


def _paid_nothing(order: Seen) -> bool:
    return len(order.charges) <= 1 and sum(order.charges) == sum(order.refunds)


def _money(evidence: Evidence) -> Finding:
    due = sum(order.total or 0 for order in evidence.having("completed"))
    off = evidence.kept - due
    detail = f"{money(evidence.kept)} kept"
    offenders = [f"{money(abs(off))} too {'much' if off > 0 else 'little'}"] if off else []
    return Finding("The provider kept what completed orders cost", detail, offenders)


def _stock(evidence: Evidence) -> Iterable[Finding]:
    sold = evidence.sold()
    skus = evidence.after.stock

    def moved(sku: str) -> tuple[Stock, Stock]:
        return evidence.before.stock[sku], evidence.after.stock[sku]

    lost, mistaken = [], []
    for sku in skus:
        old, new = moved(sku)
        appeared = sum(new) - sum(old) - evidence.delivered.get(sku, 0)
        if appeared:
            lost.append(f"{sku} {appeared:+}")
        if difference := new.taken - old.taken - sold[sku]:
            mistaken.append(f"{sku} {difference:+}")
    negative = [sku for sku in skus if evidence.lowest[sku] < 0]
    articles = f"{len(skus)} articles"
    yield Finding("Available and taken stock add up to what was received", articles, lost)
    yield Finding("Exactly what completed orders hold was taken", f"{sold.total():,} pieces", mistaken)
    yield Finding("Stock was never below zero", articles, negative, settles=False)


def money(cents: int) -> str:
    """Write an amount for people."""
    return f"{cents / 100:,.2f} EUR"
