"""Tests that take minutes: run them with ``pytest -m deep tests/explore`` or ``make deep PARTS=explore``."""

from __future__ import annotations

import pytest

from choreography.explore.model import Model
from choreography.explore.result import SearchBounds
from choreography.explore.search import search
from choreography.explore.walking import walk

CHECKOUT = Model.of("apps.checkout")

pytestmark = [pytest.mark.deep, pytest.mark.timeout(3600)]


@pytest.mark.parametrize(("stock", "states", "ends"), [(0, 2094174, 300), (1, 1842644, 355)])
def test_two_orders_fight_for_the_last_item(stock: int, states: int, ends: int) -> None:
    """Every state of two orders is seen; independent steps are taken in one sequence only."""
    result = search(CHECKOUT, CHECKOUT.scenario(orders=2, stock=stock))
    assert result.complete
    assert (result.tally.states, result.tally.ends) == (states, ends)


def test_leaving_out_what_cannot_matter_loses_no_end() -> None:
    """Without the reduction there are more states on the way, and the same ends."""
    reduced = search(CHECKOUT, CHECKOUT.scenario(orders=2, stock=0))
    whole = search(CHECKOUT, CHECKOUT.scenario(orders=2, stock=0), SearchBounds(reduce=False))
    assert whole.complete
    assert reduced.tally.states < whole.tally.states
    assert reduced.tally.ends == whole.tally.ends


def test_a_hundred_thousand_random_runs_of_three_orders() -> None:
    """There are three orders and two cups, and every customer may ask to cancel."""
    walked = walk(CHECKOUT, CHECKOUT.scenario(orders=3, stock=2, cancel=True), runs=100_000, seed=1)
    assert walked.found is None
