"""The effect of one step on the integers of a state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from choreography.explore.facts import (
    Called,
    Coming,
    Fact,
    HasPublished,
    HasQuarantined,
    Pending,
    is_delivery,
    named,
    sort_of,
)
from choreography.explore.naming import SHARED
from choreography.explore.production_step import Place

MOST_ALIKE: Final = 20
"""So many facts that say the same are told apart; a flow that says it once more may well say it without end."""

BitOf = Callable[[Fact, int], int]


@dataclass(slots=True)
class StepOutcome:
    """The effect of one step on its flow's integer (own) and on the shared one.

    Attributes:
        kept_own: the states of entities, without the facts.
        fresh_own: the facts that it adds, as if none of them had been there before.
        crowded: the step alone adds too many equal facts.
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
    crowded: bool = False

    def after(self, own: int, shared: int, bit_of: BitOf, cut: set[str]) -> tuple[int, int] | None:
        """Return both integers after the step; None if there are too many equal facts, so the step is not followed."""
        own, shared = own & self.keep_own, shared & self.keep_shared
        if self.crowded or own & self.fresh_own or shared & self.fresh_shared:
            fresh = self.told_apart(own, shared, bit_of, cut)
            if fresh is None:
                return None
            return own | self.kept_own | fresh[0], shared | self.kept_shared | fresh[1]
        return own | self.kept_own | self.fresh_own, shared | self.kept_shared | self.fresh_shared

    def told_apart(self, own: int, shared: int, bit_of: BitOf, cut: set[str]) -> tuple[int, int] | None:
        """Return the bits of the added facts, each under the next number if an equal fact is there already.

        Return None if there are too many equal facts. Such a state is not kept, so no property is judged on a part of
        it.
        """
        fresh = {True: 0, False: 0}
        before = {True: shared, False: own}
        published = 1
        for home, fact in self.facts:
            at = home == SHARED
            nth = published if is_delivery(fact) else _next(fact, fact.nth, home, before[at] | fresh[at], bit_of)
            if isinstance(fact, HasPublished):
                published = nth
            if nth > MOST_ALIKE:
                cut.add(f"{named(fact)} {MOST_ALIKE} times alike; what follows from one more was not followed")
                return None
            fresh[at] |= bit_of(replace(fact, nth=nth), home)
        return fresh[False], fresh[True]

    @property
    def traceless(self) -> bool:
        """The step records no call, event or quarantine: the only kind of step that a flow can repeat in place."""
        return not any(isinstance(fact, Called | HasPublished | HasQuarantined) for _, fact in self.facts)


def _next(fact: Fact, nth: int, home: int, before: int, bit_of: BitOf) -> int:
    while nth <= MOST_ALIKE and before & bit_of(replace(fact, nth=nth), home):
        nth += 1
    return nth


@dataclass(slots=True)
class Stepping:
    """An item under way, the bits that its step depends on, and the outcomes for each of their values."""

    pending: Pending
    home: int
    own: int = 0
    shared: int = 0
    places: tuple[Place, ...] = ()
    memo: dict[tuple[int, int], tuple[StepOutcome, ...]] = field(default_factory=dict)


class Making:
    """An outcome in the making, with the label of its step."""

    def __init__(self, bit_of: BitOf, move: Stepping, label: str = "") -> None:
        self._bit_of, self._label = bit_of, label
        self._clear, self._kept = {True: 0, False: 0}, {True: 0, False: 0}
        self._facts: list[tuple[int, Fact]] = []
        self._sorts: set[tuple[str, ...]] = set()
        if not isinstance(move.pending, Coming):
            self._clear[move.home == SHARED] |= bit_of(move.pending, move.home)

    def keep(self, sort: tuple[str, ...], home: int, mask: int, bits: int) -> None:
        """Set the new state of an entity."""
        self._clear[home == SHARED] |= mask
        self._kept[home == SHARED] |= bits
        self._sorts.add(sort)

    def add(self, home: int, *facts: Fact) -> None:
        """Add a new fact: an event together with its deliveries, or any other fact."""
        # Recorded without the number of the flow, so that the outcomes of two flows can be compared.
        self._facts += [(min(home, 0), fact) for fact in facts]
        self._sorts.update(sort_of(fact) for fact in facts)

    def done(self, cut: set[str]) -> StepOutcome:
        """Return the finished outcome."""
        outcome = StepOutcome(
            ~self._clear[False],
            ~self._clear[True],
            self._kept[False],
            self._kept[True],
            tuple(self._facts),
            frozenset(self._sorts),
            self._label,
        )
        fresh = outcome.told_apart(0, 0, self._bit_of, cut)
        outcome.crowded = fresh is None
        outcome.fresh_own, outcome.fresh_shared = fresh or (0, 0)
        return outcome
