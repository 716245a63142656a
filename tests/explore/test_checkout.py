"""Checkout, explored completely: every order of arrival, every reply, every deadline."""

from __future__ import annotations

from typing import Any

import pytest

from choreography.explore.model import Model
from choreography.explore.result import SearchBounds
from choreography.explore.search import search
from choreography.explore.walking import walk

CHECKOUT = Model.of("apps.checkout")

STATES: list[tuple[dict[str, Any], int, int]] = [
    ({}, 1678, 18),
    ({"stock": 0}, 2299, 24),
    ({"cancel": True}, 14924, 44),
    ({"cancel": True, "stock": 0}, 17426, 51),
    ({"cancel": True, "stock": 0, "restock": True}, 45022, 77),
]


@pytest.mark.parametrize(("settings", "states", "ends"), STATES, ids=[str(one[0]) for one in STATES])
def test_one_order_ends_right_whatever_arrives_whenever(settings: dict[str, Any], states: int, ends: int) -> None:
    """All states are seen, every property holds, and a silent change of behaviour changes their number."""
    result = search(CHECKOUT, CHECKOUT.scenario(**settings))
    assert result.found is None
    assert result.complete
    assert (result.tally.states, result.tally.ends) == (states, ends)


def test_twenty_thousand_states_a_second_on_one_core() -> None:
    """The speed is measured in CPU time, on two orders."""
    result = search(CHECKOUT, CHECKOUT.scenario(orders=2), SearchBounds(states=100_000))
    assert result.found is None
    assert result.bounds
    assert result.tally.per_second > 20_000


def test_two_orders_and_cancellations_hold_on_two_thousand_random_runs() -> None:
    """A space that is too large is sampled by random runs, from seeds that repeat."""
    walked = walk(CHECKOUT, CHECKOUT.scenario(orders=2, cancel=True), runs=2000, seed=20260101)
    assert walked.found is None
    assert walked.tally.ends == 2000
    assert {"completed", "cancelled_as_asked", "cancelled_while_charging", "refused_to_cancel"} <= walked.judge.reached
