"""All properties of a flow, judged on its states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from choreography.explore.looking import Verdicts
from choreography.explore.naming import SHARED
from choreography.explore.properties import Property
from choreography.explore.space import Space, State


@dataclass(frozen=True, slots=True)
class Found:
    """A property that fails, the state that shows it, and the flow in it that does; no state if none ever held."""

    property: Property
    state: State
    number: int


class RestartError(Exception):
    """A property turned out to look at more than was known, so what was left out because of that may matter."""


class Judge:
    """Judges states, and knows which properties are still open."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self.reducing = False
        self.found: Found | None = None
        self.reached: set[str] = set()
        flows = space.scenario.flows if not space.flows else ("",)
        self.verdicts = [
            Verdicts(space, one, flow if one.each else "")
            for one in space.model.properties
            for flow in (flows if one.each else ("",))
        ]
        self._at_rest = [one for one in self.verdicts if one.property.mode == "eventually"]
        self._alone: list[Verdicts] = []
        self._together: list[Verdicts] = []
        self._looked_at: set[tuple[str, ...]] = set()
        self._sort_out()

    def one(self, own: int, shared: int) -> None:
        """Judge what can be judged from one flow and what is shared."""
        for verdict in self._alone:
            if verdict.property.name in self.reached:
                continue
            holds = verdict((shared, own), 0)
            self._check(verdict, holds, (shared, own), 0)

    def whole(self, state: State) -> Found | None:
        """Judge what can only be judged from all flows together."""
        for verdict in self._together:
            if verdict.property.name in self.reached:
                continue
            for number in self._numbers(verdict):
                self._check(verdict, verdict(state, number), state, number)
        found, self.found = self.found, None
        return found

    def at_rest(self, state: State) -> Found | None:
        """Judge a state in which nothing is on its way any more."""
        for verdict in self._at_rest:
            for number in self._numbers(verdict):
                if not verdict(state, number):
                    return Found(verdict.property, state, number)
        return None

    def all(self, state: State) -> Found | None:
        """Judge one state, whose flows stay where they are, by everything."""
        rest = self._space.at_rest(state)
        for verdict in self.verdicts:
            mode = verdict.property.mode
            if (mode == "eventually" and not rest) or verdict.property.name in self.reached:
                continue
            for number in self._numbers(verdict):
                holds = verdict(state, number)
                if mode == "sometimes" and holds:
                    self.reached.add(verdict.property.name)
                elif mode != "sometimes" and holds == (mode == "never"):
                    return Found(verdict.property, state, number)
        return None

    def never_reached(self) -> Found | None:
        """Return something that should be possible and is not."""
        for one in self._space.model.properties:
            if one.mode == "sometimes" and one.name not in self.reached:
                return Found(one, (), SHARED)
        return None

    def looks_at(self, sorts: Iterable[tuple[str, ...]]) -> bool:
        """Tell whether a property that looks at more than one flow can see these."""
        return not self._looked_at.isdisjoint(sorts)

    def _numbers(self, verdict: Verdicts) -> Iterable[int]:
        return range(len(self._space.flows)) if verdict.property.each and self._space.flows else (SHARED,)

    def _check(self, verdict: Verdicts, holds: bool, state: State, number: int) -> None:
        mode = verdict.property.mode
        if mode == "sometimes":
            if holds:
                self.reached.add(verdict.property.name)
        elif holds == (mode == "never") and self.found is None:
            self.found = Found(verdict.property, state, number)
        if verdict.changed:
            verdict.changed = False
            before = (len(self._alone), len(self._looked_at) if self.reducing else 0)
            self._sort_out()
            if before != (len(self._alone), len(self._looked_at) if self.reducing else 0):
                self.found = None
                self.reached.clear()
                raise RestartError

    def _sort_out(self) -> None:
        open_ones = [one for one in self.verdicts if one.property.mode != "eventually"]
        self._alone = [one for one in open_ones if self._space.flows and one.property.each and not one.everywhere]
        self._together = [one for one in open_ones if one not in self._alone]
        self._looked_at = {sort for one in open_ones if one.across or one.everywhere for sort in one.reads}
