"""Breadth first over all states: the first state that breaks a property is reached by a shortest run."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from choreography.explore.judging import Found, Judge, RestartError
from choreography.explore.model import Model
from choreography.explore.naming import SHARED, AsymmetricError
from choreography.explore.scenario import Scenario
from choreography.explore.space import Space, State


@dataclass(frozen=True, slots=True)
class Limits:
    """Where an exploration stops, and says so."""

    states: int = 20_000_000
    depth: int = 10_000
    seconds: float = 3600.0
    reduce: bool = True


@dataclass(slots=True)
class Tally:
    """How far an exploration has come."""

    states: int = 0
    steps: int = 0
    depth: int = 0
    ends: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def per_second(self) -> int:
        """States per second of one core, however busy the others keep the machine."""
        return int(self.states / self.cpu) if self.cpu else 0


@dataclass(slots=True)
class Result:
    """What an exploration found.

    Attributes:
        path: the states of a shortest run to what was found, from the beginning.
        bounds: where it stopped before it had seen everything. Empty if it has.
        reduced: steps of different flows that cannot matter to each other were taken in one order only.
    """

    space: Space
    judge: Judge
    tally: Tally
    found: Found | None = None
    path: list[State] = field(default_factory=list)
    bounds: list[str] = field(default_factory=list)
    reduced: bool = False

    @property
    def complete(self) -> bool:
        """Everything was seen."""
        return not self.bounds and self.found is None


class Local:
    """One flow in one state, together with what is shared: its steps, and whether they can matter to other flows."""

    __slots__ = ("free", "steps")

    def __init__(self, steps: tuple[tuple[int, int], ...], *, free: bool) -> None:
        self.steps, self.free = steps, free


Told = Callable[[Tally], None]


def silent(_: Tally) -> None:
    """Tell nobody."""


def search(model: Model, scenario: Scenario, limits: Limits | None = None, told: Told = silent) -> Result:
    """Explore all that can become of a scenario."""
    model, limits = model.beginning_with(scenario), limits or Limits()
    collecting = gc.isenabled()
    # Millions of states that all stay: looking through them for garbage takes four times as long as exploring.
    gc.disable()
    try:
        return _until_settled(Space(model, scenario), limits, told)
    except AsymmetricError:
        # Something is about two flows at once: no two of them can be exchanged, and everything is shared.
        return _until_settled(Space(model, scenario, interchangeable=False), limits, told)
    finally:
        if collecting:
            gc.enable()


def _until_settled(space: Space, limits: Limits, told: Told) -> Result:
    space.begin()
    judge = Judge(space)
    while True:
        try:
            result = Search(space, judge, limits, told).run()
        except RestartError:
            # A property turned out to look at more than it had looked at before, so what was left out may matter.
            continue
        if result.found is not None and result.reduced:
            result = _shortest(result, limits, told)
        return result


def _shortest(reduced: Result, limits: Limits, told: Told) -> Result:
    """Look for a shorter run where nothing is left out: leaving out may have put irrelevant steps before it."""
    bounded = Limits(limits.states, len(reduced.path) - 1, limits.seconds, reduce=False)
    while True:
        try:
            whole = Search(reduced.space, reduced.judge, bounded, told).run()
        except RestartError:
            continue
        if whole.found is not None:
            return whole
        reduced.bounds.append("a run without reduction was too large, so there may be a shorter one")
        return reduced


class Search:
    """One pass over the states."""

    def __init__(self, space: Space, judge: Judge, limits: Limits, told: Told) -> None:
        self._space, self._judge, self._limits, self._told = space, judge, limits, told
        self._locals: dict[tuple[int, int], Local] = {}
        self._shared: dict[int, Local] = {}
        self._reduce = limits.reduce and len(space.flows) > 1
        self._seen: dict[State, State | None] = {}
        self.tally = Tally()
        judge.reducing = self._reduce

    def run(self) -> Result:
        """Explore, until something is found or everything is seen."""
        begun, cpu, bounds = time.monotonic(), time.process_time(), list[str]()
        first = _sorted(self._space.begin())
        level: list[State] = [first]
        self._seen[first] = None
        found = None
        while level and found is None and not bounds:
            level, found = self._level(level)
            self.tally.depth += 1 if level else 0
            self.tally.states, self.tally.seconds = len(self._seen), time.monotonic() - begun
            self.tally.cpu = time.process_time() - cpu
            self._told(self.tally)
            bounds = self._bounds(level)
        bounds += [f"{one}." for one in sorted(self._space.cut)]
        result = Result(self._space, self._judge, self.tally, found, [], bounds, self._reduce)
        if found is not None:
            result.path = list(self._path(found.state))
        elif not bounds:
            result.found = self._judge.never_reached()
        return result

    def _bounds(self, level: list[State]) -> list[str]:
        tally, limits = self.tally, self._limits
        if not level:
            return []
        bounds = [
            (tally.states >= limits.states, f"{tally.states:,} states were seen, and there are more."),
            (tally.depth >= limits.depth, f"runs of {tally.depth} steps were followed, and they go on."),
            (tally.seconds >= limits.seconds, f"{tally.seconds:.0f} seconds have passed, and there are more states."),
        ]
        return [text for reached, text in bounds if reached]

    def _level(self, level: list[State]) -> tuple[list[State], Found | None]:
        seen, judge, following = self._seen, self._judge, list[State]()
        steps = 0
        for state in level:
            here = [self._local(own, state[0]) for own in state[1:]]
            shared = self._steps_of_shared(state[0])
            found = judge.found or judge.whole(state)
            if found is not None:
                judge.found = None
                return following, Found(found.property, state, found.number)
            size = steps
            for after in self._successors(state, here, shared):
                steps += 1
                if after not in seen:
                    seen[after] = state
                    following.append(after)
            if size == steps and self._space.at_rest(state):
                self.tally.ends += 1
                found = judge.at_rest(state)
                if found is not None:
                    return following, found
        self.tally.steps += steps
        return following, None

    def _successors(self, state: State, here: list[Local], shared: Local) -> Iterator[State]:
        chosen = next((number for number, one in enumerate(here) if one.free), None) if self._reduce else None
        if chosen is None:
            for _, after in shared.steps:
                yield (after, *state[1:])
        for number, one in enumerate(here):
            if chosen not in (None, number) or (number and state[number + 1] == state[number]):
                continue
            if len(here) == 1:
                yield from ((after, own) for own, after in one.steps)
            else:
                others = (*state[1 : number + 1], *state[number + 2 :])
                yield from ((after, *sorted((*others, own))) for own, after in one.steps)

    def _local(self, own: int, shared: int) -> Local:
        local = self._locals.get((own, shared))
        if local is None:
            local = self._locals[own, shared] = self._expanded(own, shared)
        return local

    def _expanded(self, own: int, shared: int) -> Local:
        steps = list(self._space.steps(own, shared, 0))
        self._judge.one(own, shared)
        free = bool(steps) and all(
            step.shared == shared and not step.move.shared and not self._judge.looks_at(step.outcome.sorts)
            for step in steps
        )
        return Local(tuple(dict.fromkeys((step.own, step.shared) for step in steps)), free=free)

    def _steps_of_shared(self, shared: int) -> Local:
        local = self._shared.get(shared)
        if local is None:
            steps = self._space.steps(0, shared, SHARED)
            local = self._shared[shared] = Local(tuple(dict.fromkeys((0, step.shared) for step in steps)), free=False)
        return local

    def _path(self, state: State) -> Iterator[State]:
        path: list[State] = []
        at: State | None = state
        while at is not None:
            path.append(at)
            at = self._seen[at]
        yield from reversed(path)


def _sorted(state: State) -> State:
    return (state[0], *sorted(state[1:]))
