"""The orders that every system gets: the same orders in the same sequence; most succeed, some are refused."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import orjson

PRODUCTS: Final = 100
"""Enough that orders seldom meet on a shelf: a system without batches would otherwise mostly wait for locks."""

STOCK: Final = 10**8
SOLD_OUT: Final = "sold-out"
PRICE: Final = 500
CARD_LIMIT: Final = 100_000

Fate = Literal["happy", "declined", "rejected"]


@dataclass(frozen=True, slots=True)
class Order:
    """One order as it will be sent, and how it must end."""

    number: int
    fate: Fate
    sku: str
    price: int

    @property
    def key(self) -> str:
        """The Idempotency-Key: not a counter, because a service accepts none from an anonymous caller."""
        return key_of(f"bench-{self.number}")

    @property
    def body(self) -> bytes:
        """The request body of apps/checkout."""
        return orjson.dumps(
            {
                "customer_id": f"customer-{self.number % 1000}",
                "currency": "EUR",
                "lines": [{"sku": self.sku, "quantity": 1, "unit_price": self.price}],
            }
        )


def key_of(name: str) -> str:
    """Return the Idempotency-Key of a request: the same for the same name, and one that no other caller could send."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def order(number: int) -> Order:
    """Return the order of this number: of a hundred, 95 end well, three are declined and two find no stock."""
    # 37 and 100 have no common divisor, so the failing orders are spread and not in a row.
    place = number * 37 % 100
    fate: Fate = "declined" if place < 3 else "rejected" if place < 5 else "happy"
    sku = SOLD_OUT if fate == "rejected" else product(number)
    return Order(number, fate, sku, CARD_LIMIT * 2 if fate == "declined" else PRICE)


def orders(first: int, count: int) -> list[Order]:
    """Return this many orders."""
    return [order(number) for number in range(first, first + count)]


def product(number: int) -> str:
    """Return the article of an order; steps of 61 leave no pattern that would favour batches."""
    return f"article-{number * 61 % PRODUCTS}"


def articles() -> list[str]:
    """Return every article on a shelf."""
    return [product(number) for number in range(PRODUCTS)]


@dataclass(frozen=True, slots=True)
class Expected:
    """The state that must hold once every order has ended."""

    completed: int
    cancelled: int
    money: int
    sold: dict[str, int]


def expected(sent: Iterable[Order]) -> Expected:
    """Add up the expected results of the orders."""
    listed = list(sent)
    happy = [one for one in listed if one.fate == "happy"]
    return Expected(
        completed=len(happy),
        cancelled=len(listed) - len(happy),
        money=sum(one.price for one in happy),
        sold=dict(Counter(one.sku for one in happy)),
    )
