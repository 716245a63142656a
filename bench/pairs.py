"""Compares two series of turns: the first turn of one with the first turn of the other, and so on.

Two turns in a row find the machine in the same condition, even if it drifts from minute to minute. So the ratios of the
pairs say more than the ratio of two medians.
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
        before: the median of the first series.
        after: the median of the second series.
        ratio: the median of the ratios of the pairs.
        low: the lower end of the 95 % confidence interval of the ratio.
        high: its upper end.
        enough: whether there were enough pairs for an interval.
    """

    before: float
    after: float
    ratio: float
    low: float
    high: float
    enough: bool

    @property
    def differs(self) -> bool:
        """Whether the difference is beyond chance."""
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
    """Return how many of the lowest and of the highest ratios lie outside the interval of the median.

    Each ratio is as likely to be below the true median as above it, whatever the distribution, so this counts coin
    flips.
    """
    left_out, chance = 0, 0.5**count
    while (chance := chance + comb(count, left_out + 1) * 0.5**count) * 2 <= _CHANCE:
        left_out += 1
    return left_out
