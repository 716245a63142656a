"""Flows that begin alike can be exchanged, so one state stands for all arrangements of the same flows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cached_property
from typing import Final

State = tuple[int, ...]
"""What all flows share, then each flow; flows that can be exchanged are sorted."""

_MOST: Final = 24
"""With more arrangements than this, judging each of them costs more than exchanging saves."""


class Arranging:
    """Which flows can be exchanged with each other.

    Attributes:
        classes: for each flow, the first flow that begins in the same way.
        all_alike: any flow can be exchanged with any other.
    """

    def __init__(self, classes: tuple[int, ...]) -> None:
        sizes = [classes.count(one) for one in set(classes)]
        self.classes = classes if math.prod(map(math.factorial, sizes)) <= _MOST else tuple(range(len(classes)))
        self._members = [[at for at, one in enumerate(self.classes) if one == first] for first in set(self.classes)]
        self.all_alike = len(self._members) <= 1

    def sorted(self, state: State) -> State:
        """Return the one arrangement that stands for all arrangements."""
        if self.all_alike:
            return (state[0], *sorted(state[1:]))
        after = list(state)
        for members in self._members:
            for at, own in zip(members, sorted(state[one + 1] for one in members), strict=True):
                after[at + 1] = own
        return tuple(after)

    def repeats(self, state: State, number: int) -> bool:
        """Tell whether an earlier flow, which can be exchanged with this flow, is in the same state."""
        if self.all_alike:
            return number > 0 and state[number + 1] == state[number]
        return any(state[one + 1] == state[number + 1] for one in self.members(number) if one < number)

    def members(self, flow: int) -> list[int]:
        """Return the flows that can be exchanged with a flow, and this flow itself."""
        return next(members for members in self._members if flow in members)

    @cached_property
    def orders(self) -> tuple[tuple[int, ...], ...]:
        """Return every way to exchange flows: for each place, the flow that takes it. The unchanged order is first."""
        return tuple(self._orders())

    def _orders(self) -> Iterator[tuple[int, ...]]:
        for picked in itertools.product(*(itertools.permutations(members) for members in self._members)):
            order = list(range(len(self.classes)))
            for members, moved in zip(self._members, picked, strict=True):
                for at, flow in zip(members, moved, strict=True):
                    order[at] = flow
            yield tuple(order)


def exchanged(state: State, order: tuple[int, ...]) -> State:
    """Return a state in which the flows stand in another order."""
    return (state[0], *[state[at + 1] for at in order])
