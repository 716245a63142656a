"""Every system gets the same orders, and their correct results can be computed beforehand."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import orjson

from bench.orders import PRICE, SOLD_OUT, articles, expected, order, orders


def test_the_same_number_is_always_the_same_order() -> None:
    """Two systems given the same numbers were given the same work."""
    assert orders(100, 50) == [order(number) for number in range(100, 150)]
    assert order(7).body == order(7).body


def test_a_few_percent_end_unhappily() -> None:
    """Compensation is part of what is measured."""
    assert Counter(one.fate for one in orders(300, 1000)) == {"happy": 950, "declined": 30, "rejected": 20}


def test_the_unhappy_ones_do_not_come_in_a_row() -> None:
    """In a row they would share a batch, which does not happen in a real shop."""
    fates = [one.fate for one in orders(0, 1000)]
    assert not any(first != "happy" and second != "happy" for first, second in pairwise(fates))


def test_a_rejected_order_asks_for_what_was_never_on_a_shelf() -> None:
    """Otherwise the order of the other orders would decide whether it is rejected."""
    asked = {orjson.loads(one.body)["lines"][0]["sku"] for one in orders(0, 1000) if one.fate == "rejected"}
    assert asked == {SOLD_OUT}
    assert SOLD_OUT not in articles()


def test_money_and_stock_are_those_of_the_happy_orders() -> None:
    """The audit compares with this."""
    sent = orders(0, 1000)
    must = expected(sent)
    assert (must.completed, must.cancelled) == (950, 50)
    assert must.money == 950 * PRICE
    assert sum(must.sold.values()) == 950
