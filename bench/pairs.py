"""Holds two series of turns against each other: the first turn of one with the first of the other, and so on.

Two turns that follow each other find the machine alike, however it drifts from minute to minute. So the ratio of each
pair says more than the ratio of two medians.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median
from typing import Final

_CHANCE: Final = 0.05


@dataclass(frozen=True)
class Compared:
    """Two series of one figure.

    Attributes:
        before: the median of the one.
        after: the median of the other.
        ratio: the median of the ratios of the pairs.
        low: where the true ratio lies with 95 % certainty: from here,
        high: to here.
        enough: whether there were pairs enough to say so.
    """

    before: float
    after: float
    ratio: float
    low: float
    high: float
    enough: bool

    @property
    def differs(self) -> bool:
        """Whether the difference is more than chance."""
        return self.enough and not self.low <= 1 <= self.high


def compared(before: Sequence[float], after: Sequence[float]) -> Compared:
    """Compare the two series."""
    ratios = sorted(mine / theirs for theirs, mine in zip(before, after, strict=True) if theirs > 0)
    if not ratios:
        return Compared(median(before), median(after), 1, 1, 1, enough=False)
    left_out = _left_out(len(ratios))
    return Compared(
        before=median(before),
        after=median(after),
        ratio=median(ratios),
        low=ratios[left_out],
        high=ratios[-1 - left_out],
        enough=2 * 0.5 ** len(ratios) <= _CHANCE,
    )


def _left_out(count: int) -> int:
    """Return how many of the lowest ratios, and of the highest, may be left out of the interval of the median.

    Each ratio lies below the true median as often as above it, whatever their distribution, so this counts coins.
    """
    left_out, chance = 0, 0.5**count
    while (chance := chance + comb(count, left_out + 1) * 0.5**count) * 2 <= _CHANCE:
        left_out += 1
    return left_out
