"""What one step does to the integers of a state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from choreography.explore.deciding import Place
from choreography.explore.facts import Fact, Pending, Published, is_delivery, sort_of
from choreography.explore.naming import SHARED

MOST_ALIKE: Final = 3
"""So many events that say the same are told apart; a flow that says it once more may well say it without end."""

BitOf = Callable[[Fact, int], int]


@dataclass(slots=True)
class Outcome:
    """What one step does to its flow's integer (own) and to the shared one.

    Attributes:
        kept_own: the states of entities, without the facts.
        fresh_own: the facts that it adds, as if none of them had been there before.
    """

    keep_own: int
    keep_shared: int
    kept_own: int
    kept_shared: int
    facts: tuple[tuple[int, Fact], ...]
    sorts: frozenset[tuple[str, ...]]
    label: str = ""
    fresh_own: int = 0
    fresh_shared: int = 0

    def after(self, own: int, shared: int, bit_of: BitOf, cut: set[str]) -> tuple[int, int]:
        """Return both integers after the step."""
        own, shared = own & self.keep_own, shared & self.keep_shared
        if own & self.fresh_own or shared & self.fresh_shared:
            fresh_own, fresh_shared = self.told_apart(own, shared, bit_of, cut)
        else:
            fresh_own, fresh_shared = self.fresh_own, self.fresh_shared
        return own | self.kept_own | fresh_own, shared | self.kept_shared | fresh_shared

    def told_apart(self, own: int, shared: int, bit_of: BitOf, cut: set[str]) -> tuple[int, int]:
        """Return the bits of what is added, each under the next number if the same has been there before."""
        fresh = {True: 0, False: 0}
        before = {True: shared, False: own}
        nth = 1
        for home, fact in self.facts:
            at = home == SHARED
            if isinstance(fact, Published):
                nth = _next(fact, fact.nth, home, before[at] | fresh[at], bit_of)
                if nth > MOST_ALIKE:
                    cut.add(
                        f"{fact.type} was said {MOST_ALIKE} times alike; what follows from one more was not followed"
                    )
                fact = replace(fact, nth=nth)  # noqa: PLW2901 - the same fact, told apart
            elif is_delivery(fact):
                fact = replace(fact, nth=nth)  # noqa: PLW2901
            else:
                fact = replace(fact, nth=_next(fact, fact.nth, home, before[at] | fresh[at], bit_of))  # noqa: PLW2901
            if nth <= MOST_ALIKE:
                fresh[at] |= bit_of(fact, home)
        return fresh[False], fresh[True]


def _next(fact: Fact, nth: int, home: int, before: int, bit_of: BitOf) -> int:
    while before & bit_of(replace(fact, nth=nth), home):
        nth += 1
    return nth


@dataclass(slots=True)
class Move:
    """Something on its way, the bits that its step depends on, and what follows from each of their values."""

    pending: Pending
    home: int
    own: int = 0
    shared: int = 0
    places: tuple[Place, ...] = ()
    memo: dict[tuple[int, int], tuple[Outcome, ...]] = field(default_factory=dict)


class Making:
    """An outcome in the making."""

    def __init__(self, bit_of: BitOf, move: Move) -> None:
        self._bit_of = bit_of
        self._clear, self._kept = {True: 0, False: 0}, {True: 0, False: 0}
        self._facts: list[tuple[int, Fact]] = []
        self._sorts: set[tuple[str, ...]] = set()
        self.label = ""
        self._clear[move.home == SHARED] |= bit_of(move.pending, move.home)

    def keep(self, sort: tuple[str, ...], home: int, mask: int, bits: int) -> None:
        """Give an entity a new state."""
        self._clear[home == SHARED] |= mask
        self._kept[home == SHARED] |= bits
        self._sorts.add(sort)

    def add(self, home: int, *facts: Fact) -> None:
        """Add what becomes true: an event together with its deliveries, or one other fact."""
        self._facts += [(home, fact) for fact in facts]
        self._sorts.update(sort_of(fact) for fact in facts)

    def done(self, cut: set[str]) -> Outcome:
        """Return the outcome."""
        outcome = Outcome(
            ~self._clear[False],
            ~self._clear[True],
            self._kept[False],
            self._kept[True],
            tuple(self._facts),
            frozenset(self._sorts),
            self.label,
        )
        outcome.fresh_own, outcome.fresh_shared = outcome.told_apart(0, 0, self._bit_of, cut)
        return outcome
