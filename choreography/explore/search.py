"""Breadth-first search through all states: a shortest run leads to the first state that breaks a property."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from choreography.explore.arranging import State
from choreography.explore.facts import WantedCall
from choreography.explore.judging import Judge, RestartError
from choreography.explore.model import Model
from choreography.explore.naming import SHARED, AsymmetricError
from choreography.explore.purity import Purity
from choreography.explore.result import SearchBounds, SearchResult, Tally, Violation
from choreography.explore.scenario import Scenario
from choreography.explore.space import Space, Step

_SELDOM: Final = 1023
_A_WHILE: Final = 10_000
_PAIR: Final = 2


class Local:
    """One flow in one state, with the shared part: its steps, and whether they can affect other flows."""

    __slots__ = ("free", "steps")

    def __init__(self, steps: tuple[tuple[int, int], ...], *, free: bool) -> None:
        self.steps, self.free = steps, free


Told = Callable[[Tally], None]


def silent(_: Tally) -> None:
    """Report no progress."""


def search(
    model: Model, scenario: Scenario, limits: SearchBounds | None = None, told: Told = silent, *, exchange: bool = True
) -> SearchResult:
    """Explore all runs of a scenario.

    Args:
        model: the flow.
        scenario: how it begins.
        limits: where to stop.
        told: receives the progress.
        exchange: treat flows that begin alike as interchangeable, until something shows that they are not.

    Raises:
        ImpureError: a function that must be pure is not. This is not checked if a property is broken.
    """
    model, limits = model.beginning_with(scenario), limits or SearchBounds()
    collecting = gc.isenabled()
    # Millions of states all stay alive: searching them for garbage takes four times as long as exploring.
    gc.disable()
    try:
        result = _until_settled(Space(model, scenario, interchangeable=exchange), limits, told)
    except AsymmetricError:
        # A text names two flows at once: no two flows can be exchanged, and everything is shared.
        result = _until_settled(Space(model, scenario, interchangeable=False), limits, told)
    finally:
        if collecting:
            gc.enable()
    if not result.violations:
        Purity(result.space, result.judge).refuse_other_order()
    return result


def _until_settled(space: Space, limits: SearchBounds, told: Told) -> SearchResult:
    space.begin()
    judge = Judge(space)
    result = _settled(space, judge, limits, told)
    paths = [violation.path for violation in result.violations if violation.path]
    if paths and result.reduced:
        # The reduced search may have put irrelevant steps before the finding, so a full search looks for it again.
        whole = _settled(space, judge, replace(limits, depth=len(paths[0]) - 1, reduce=False), told)
        shown = {violation.found.property.name for violation in whole.violations}
        others = [one for one in result.violations if one.found.property.name not in shown]
        result.violations = [*whole.violations, *others]
        if not any(one.path for one in whole.violations):
            result.bounds.append("a run without reduction was too large, so there may be a shorter one")
    return result


def _settled(space: Space, judge: Judge, limits: SearchBounds, told: Told) -> SearchResult:
    while True:
        judge.begin(reducing=limits.reduce and len(space.flows) > 1)
        try:
            return Search(space, judge, limits, told).run()
        except RestartError:
            # A property read more than it had read before, so the steps that were left out may matter.
            continue


class Search:
    """One pass over the states."""

    def __init__(self, space: Space, judge: Judge, limits: SearchBounds, told: Told) -> None:
        self._space, self._judge, self._limits, self._told = space, judge, limits, told
        classes = space.arranging.classes
        tables: dict[int, dict[tuple[int, int], Local]] = {one: {} for one in classes}
        self._locals = [(one, tables[one]) for one in classes]
        self._shared: dict[int, Local] = {}
        self._reduce = judge.reducing
        self._seen: dict[State, State | None] = {}
        self._most = limits.states
        self._shown: dict[str, State] = {}
        self._crowded: State | None = None
        self._bounds: dict[str, None] = {}
        self._begun, self._late = 0.0, False
        self.tally = Tally()

    def run(self) -> SearchResult:
        """Explore until everything is seen or a bound is reached; after a finding, only a while longer."""
        self._begun, cpu = time.monotonic(), time.process_time()
        self._space.cut.clear()
        first = self._space.arranging.sorted(self._space.begin())
        level: list[State] = [first]
        self._seen[first] = None
        while level and not self._late:
            level = self._level(level)
            self.tally.depth += 1 if level else 0
            self.tally.states, self.tally.seconds = len(self._seen), time.monotonic() - self._begun
            self.tally.cpu = time.process_time() - cpu
            self._told(self.tally)
        bounds = [*self._bounds, *(f"{one}." for one in sorted(self._space.cut))]
        violations = [Violation(found, self._path(self._shown[name])) for name, found in self._judge.broken.items()]
        if not bounds:
            violations += [Violation(found, ()) for found in self._judge.never_reached()]
        crowded = self._path(self._crowded) if self._crowded else ()
        return SearchResult(self._space, self._judge, self.tally, violations, bounds, self._reduce, crowded)

    def _level(self, level: list[State]) -> list[State]:
        """Judge all states of one depth, and return the states that follow."""
        seen, judge, space, following = self._seen, self._judge, self._space, list[State]()
        steps, deep = 0, self.tally.depth >= self._limits.depth
        for at, state in enumerate(level):
            if not at & _SELDOM and self._out_of_time():
                break
            shared = state[0]
            here = [
                table.get((own, shared)) or self._expanded(own, shared, first, table)
                for own, (first, table) in zip(state[1:], self._locals, strict=True)
            ]
            of_shared = self._steps_of_shared(shared)
            judge.whole(state)
            size = steps
            for after in () if self._bounds else self._successors(state, here, of_shared):
                steps += 1
                if after not in seen:
                    if deep or len(seen) >= self._most:
                        self._bounded(deep=deep)
                        break
                    seen[after] = state
                    following.append(after)
            if size == steps and space.at_rest(state):
                self.tally.ends += 1
                judge.at_rest(state)
            if len(judge.broken) != len(self._shown):
                self._show(state)
            if space.cut and self._crowded is None:
                self._crowded = state
        self.tally.steps += steps
        return following

    def _show(self, state: State) -> None:
        for name in self._judge.broken:
            self._shown.setdefault(name, state)
        # Further findings are worth some more time, but not the hours that a complete search may take.
        self._most = min(self._most, len(self._seen) + max(len(self._seen), _A_WHILE))

    def _bounded(self, *, deep: bool) -> None:
        if deep:
            said = f"runs of {self.tally.depth:,} steps were followed, and they go on."
        elif self._most < self._limits.states:
            said = f"something is broken, so no more than {self._most:,} states were seen, and there are more."
        else:
            said = f"{self._most:,} states were seen, and there are more."
        self._bounds.setdefault(said)

    def _out_of_time(self) -> bool:
        seconds = time.monotonic() - self._begun
        if seconds >= self._limits.seconds:
            self._late = True
            self._bounds.setdefault(f"{seconds:.0f} seconds have passed, and there are more states.")
        return self._late

    def _successors(self, state: State, here: list[Local], shared: Local) -> list[State]:
        arranging, flows, chosen = self._space.arranging, range(len(here)), False
        if self._reduce:
            for number, one in enumerate(here):
                if one.free:
                    flows, chosen = range(number, number + 1), True
                    break
        found: list[State] = [] if chosen else [(after, *state[1:]) for _, after in shared.steps]
        # Lists instead of generators, and a special case for two flows: most of the time is spent here.
        for number in flows:
            steps = here[number].steps
            if len(here) == 1:
                found += [(after, own) for own, after in steps]
            elif arranging.repeats(state, number):
                continue
            elif not arranging.all_alike:
                before, behind = state[1 : number + 1], state[number + 2 :]
                found += [arranging.sorted((after, *before, own, *behind)) for own, after in steps]
            elif len(here) == _PAIR:
                other = state[2 - number]
                found += [(after, own, other) if own < other else (after, other, own) for own, after in steps]
            else:
                others = (*state[1 : number + 1], *state[number + 2 :])
                found += [(after, *sorted((*others, own))) for own, after in steps]
        return found

    def _expanded(self, own: int, shared: int, first: int, table: dict[tuple[int, int], Local]) -> Local:
        steps = list(self._space.steps(own, shared, first))
        self._judge.one(own, shared, self._space.arranging.members(first))
        free = self._reduce and bool(steps) and all(self._harmless(step, shared) for step in steps)
        local = table[own, shared] = Local(tuple(dict.fromkeys((one.own, one.shared) for one in steps)), free=free)
        return local

    def _harmless(self, step: Step, shared: int) -> bool:
        """Tell whether a step can neither affect another flow, nor be seen by a property, nor repeat forever."""
        return (
            step.shared == shared
            and not step.move.shared
            and not self._judge.looks_at(step.outcome.sorts)
            and not (isinstance(step.move.pending, WantedCall) and step.outcome.traceless)
        )

    def _steps_of_shared(self, shared: int) -> Local:
        if shared not in self._shared:
            steps = self._space.steps(0, shared, SHARED)
            self._shared[shared] = Local(tuple(dict.fromkeys((0, step.shared) for step in steps)), free=False)
        return self._shared[shared]

    def _path(self, state: State) -> tuple[State, ...]:
        path = [state]
        while (before := self._seen[path[-1]]) is not None:
            path.append(before)
        return tuple(reversed(path))
