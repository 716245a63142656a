"""Turns that follow each other are compared in pairs, and only differences beyond chance count."""

from __future__ import annotations

import random

import pytest

from bench.pairs import compared


def test_a_machine_that_becomes_slower_is_in_both_and_decides_nothing() -> None:
    """Every pair has the same ratio, however the machine changes from pair to pair."""
    drift = [1.0, 1.5, 2.0, 4.0, 3.0, 1.2]
    found = compared([100 * one for one in drift], [90 * one for one in drift])
    assert found.ratio == pytest.approx(0.9)
    assert (found.low, found.high) == pytest.approx((0.9, 0.9))
    assert found.differs


def test_what_goes_both_ways_is_chance() -> None:
    """The interval holds 1."""
    found = compared([100] * 6, [110, 90, 105, 95, 120, 99])
    assert found.low < 1 < found.high
    assert not found.differs


def test_one_bad_turn_decides_nothing_where_there_are_many() -> None:
    """An outlier of ten turns is left out of the interval on its side."""
    found = compared([100] * 10, [80] * 9 + [1000])
    assert (found.ratio, found.high) == (0.8, 0.8)
    assert found.differs


def test_of_five_pairs_nothing_can_be_said() -> None:
    """With five pairs, chance gives the same sign in all of them once in sixteen times."""
    assert not compared([100] * 5, [50] * 5).differs
    assert compared([100] * 6, [50] * 6).differs


def test_the_interval_holds_the_true_ratio_as_often_as_it_says() -> None:
    """Nineteen times of twenty, for figures that scatter by a fifth."""
    drawn = random.Random(7)
    wrong = 0
    for _ in range(400):
        before, after = ([drawn.gauss(100, 20) for _ in range(12)] for _ in range(2))
        wrong += compared(before, after).differs
    assert wrong <= 0.05 * 400 + 10


def test_a_figure_that_was_nothing_compares_as_nothing() -> None:
    """A process that used no time has no ratio."""
    assert not compared([0.0] * 6, [0.0] * 6).differs
