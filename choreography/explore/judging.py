"""All properties of a flow, judged on its states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from choreography.explore.arranging import State, exchanged
from choreography.explore.looking import NarrowError, Verdicts, VerdictSample
from choreography.explore.naming import SHARED
from choreography.explore.properties import Property
from choreography.explore.space import Space
from choreography.explore.world import Interruption


@dataclass(frozen=True, slots=True)
class FoundState:
    """A broken property, a state that shows it, and the flow that breaks it; no state if a `sometimes` never held."""

    property: Property
    state: State
    number: int


class RestartError(Interruption):
    """A property read more than was known, so steps that were left out before may matter."""


class Judge:
    """Judges states, and knows which properties are still open.

    Attributes:
        broken: the findings, by the name of the property, in the order in which they were found.
        reached: the names of the `sometimes` properties that were reached.
        exact: a state stands for itself only, and not for all arrangements of its flows.
    """

    def __init__(self, space: Space, *, exact: bool = False) -> None:
        self._space, self.exact = space, exact
        self.reducing = False
        self.broken: dict[str, FoundState] = {}
        self.reached: set[str] = set()
        flows = range(len(space.scenario.flows))
        self._verdicts = [
            Verdicts(space, one, flow, exact=exact)
            for one in space.model.properties
            for flow in (flows if one.each else (SHARED,))
        ]
        self._at_rest: list[Verdicts] = []
        self._alone: list[Verdicts] = []
        self._together: list[tuple[Verdicts, bool]] = []
        self._looked_at: set[tuple[str, ...]] = set()
        self._sort_out()

    def one(self, own: int, shared: int, flows: Iterable[int]) -> None:
        """Judge the properties that read one flow and the shared part, for every flow that may be in that state.

        Raises:
            RestartError: a property reads more than that.
        """
        for verdict in self._alone:
            if verdict.flow in flows:
                try:
                    holds = verdict.alone((shared, own)) if len(self._space.flows) > 1 else verdict((shared, own))
                except NarrowError:
                    self._restart()
                if holds is not verdict.good:
                    self._check(verdict, (shared, own))
                if verdict.changed:
                    self._settle(verdict)

    def whole(self, state: State) -> None:
        """Judge the properties that need all flows together.

        Raises:
            RestartError: a property reads more than was known.
        """
        for verdict, good in self._together:
            for one in self._arrangements(verdict, state) if verdict.named else (state,):
                if verdict(one) is not good:
                    self._check(verdict, state)
            if verdict.changed:
                self._settle(verdict)

    def at_rest(self, state: State) -> None:
        """Judge a state in which nothing is under way any more."""
        for verdict in self._at_rest:
            for one in self._arrangements(verdict, state):
                if not verdict(one):
                    self._check(verdict, state)

    def exactly(self, state: State, *, rest: bool) -> list[FoundState]:
        """Return every property that fails in one state, whose flows are not rearranged; record those reached."""
        found: list[FoundState] = []
        for verdict in self._verdicts:
            mode = verdict.property.mode
            if (mode == "eventually" and not rest) or verdict(state) is verdict.good:
                continue
            if mode == "sometimes":
                self.reached.add(verdict.property.name)
            else:
                found.append(FoundState(verdict.property, state, verdict.flow))
        return found

    def never_reached(self) -> list[FoundState]:
        """Return the `sometimes` properties that no state has reached."""
        hoped = [one for one in self._space.model.properties if one.mode == "sometimes"]
        return [FoundState(one, (), SHARED) for one in hoped if one.name not in self.reached]

    @property
    def samples(self) -> list[VerdictSample]:
        """Some verdicts of every property, with the parts that it read for them."""
        return [sample for verdict in self._verdicts for sample in verdict.samples.values()]

    def looks_at(self, sorts: Iterable[tuple[str, ...]]) -> bool:
        """Tell whether these facts are visible to a property that reads several flows."""
        return not self._looked_at.isdisjoint(sorts)

    def begin(self, *, reducing: bool) -> None:
        """Begin a search; ``reducing``: it leaves out steps that make no difference."""
        self.reducing = reducing
        self.forget()

    def forget(self) -> None:
        """Begin again, with the knowledge of what the properties read."""
        self.broken.clear()
        self.reached.clear()
        self._sort_out()

    def _arrangements(self, verdict: Verdicts, state: State) -> Iterable[State]:
        if not verdict.named or self.exact:
            return (state,)
        return [exchanged(state, order) for order in self._space.arranging.orders]

    def _check(self, verdict: Verdicts, state: State) -> None:
        name = verdict.property.name
        if verdict.property.mode == "sometimes":
            self.reached.add(name)
        elif name not in self.broken:
            self.broken[name] = FoundState(verdict.property, state, verdict.flow)
        self._leave_out_the_decided()

    def _leave_out_the_decided(self) -> None:
        """Stop judging properties that are reached or broken: no other state can change that."""
        decided = self.reached | self.broken.keys()
        self._at_rest = [one for one in self._at_rest if one.property.name not in decided]
        self._alone = [one for one in self._alone if one.property.name not in decided]
        self._together = [one for one in self._together if one[0].property.name not in decided]

    def _settle(self, verdict: Verdicts) -> None:
        """Begin again if the parts that a property reads change which steps may be left out."""
        verdict.noticed()
        before = self._kinds()
        self._sort_out()
        if before != self._kinds():
            self._restart()

    def _restart(self) -> None:
        self.forget()
        raise RestartError

    def _kinds(self) -> tuple[int, int, int]:
        return (
            sum(one.everywhere for one in self._verdicts),
            sum(one.named for one in self._verdicts),
            len(self._looked_at) if self.reducing else 0,
        )

    def _sort_out(self) -> None:
        self._at_rest = [one for one in self._verdicts if one.property.mode == "eventually"]
        states = [one for one in self._verdicts if one.property.mode != "eventually"]
        self._alone = [one for one in states if not one.everywhere]
        self._together = [(one, one.good) for one in states if one.everywhere]
        self._looked_at = {sort for one in states if one.across for sort in one.reads}
        self._leave_out_the_decided()
