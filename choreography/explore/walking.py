"""Random runs, for flows with too many states to see all of them; a run that breaks a property is shortened."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from choreography.explore.judging import FoundState, Judge
from choreography.explore.model import Model
from choreography.explore.naming import AsymmetricError
from choreography.explore.purity import Purity
from choreography.explore.result import SearchBounds, Tally
from choreography.explore.runs import Taken, possible
from choreography.explore.scenario import Scenario
from choreography.explore.search import silent
from choreography.explore.space import Space


@dataclass(frozen=True, slots=True)
class Walk:
    """A random run that broke a property.

    Attributes:
        seed: this seed alone repeats the run.
        steps: the run, as short as leaving out steps makes it.
    """

    found: FoundState
    seed: int
    steps: list[Taken]


@dataclass(slots=True)
class Walked:
    """The findings of the random runs.

    Attributes:
        violations: each broken property, once, in the order in which they were found.
        bounds: the runs that were not walked to their ends, and why.
    """

    space: Space
    judge: Judge
    tally: Tally
    violations: list[Walk] = field(default_factory=list)
    bounds: list[str] = field(default_factory=list)

    @property
    def found(self) -> FoundState | None:
        """The first finding."""
        return self.violations[0].found if self.violations else None

    @property
    def seed(self) -> int:
        """The seed of the run that broke it."""
        return self.violations[0].seed if self.violations else 0

    @property
    def steps(self) -> list[Taken]:
        """That run, shortened."""
        return self.violations[0].steps if self.violations else []


def walk(
    model: Model,
    scenario: Scenario,
    *,
    runs: int,
    seed: int,
    limits: SearchBounds | None = None,
    told: Callable[[Tally], None] = silent,
) -> Walked:
    """Walk this many runs to their ends, each from a seed of its own: ``seed``, ``seed + 1`` and so on.

    Raises:
        ImpureError: a function that must be pure is not. This is not checked if a property is broken.
    """
    model, limits = model.beginning_with(scenario), limits or SearchBounds()
    try:
        walked = _walks(Space(model, scenario), runs, seed, limits, told)
    except AsymmetricError:
        walked = _walks(Space(model, scenario, interchangeable=False), runs, seed, limits, told)
    if not walked.violations:
        Purity(walked.space, walked.judge).refuse_other_order()
    return walked


def _walks(space: Space, runs: int, seed: int, limits: SearchBounds, told: Callable[[Tally], None]) -> Walked:
    walked, begun, cpu = Walked(space, Judge(space, exact=True), Tally()), time.monotonic(), time.process_time()
    tally, known, endless = walked.tally, set[str](), 0
    for number in range(runs):
        run = _run(space, walked.judge, seed + number, limits.depth)
        tally.ends += run.ended
        tally.steps += len(run.steps)
        tally.states += len(run.steps) + 1
        tally.depth = max(tally.depth, len(run.steps))
        tally.seconds, tally.cpu = time.monotonic() - begun, time.process_time() - cpu
        endless += not run.ended
        if number % 50 == 0:
            told(tally)
        for length, found in run.found:
            if found.property.name not in known:
                known.add(found.property.name)
                short, shown = shortened(space, walked.judge, run.steps[:length], found)
                walked.violations.append(Walk(shown, seed + number, short))
        if tally.seconds >= limits.seconds and number + 1 < runs:
            walked.bounds.append(f"{tally.seconds:.0f} seconds have passed after {number + 1:,} runs of {runs:,}.")
            break
    if endless:
        walked.bounds.append(f"{endless:,} runs were not followed to an end, of which nothing is known.")
    walked.bounds += [f"{one}." for one in sorted(space.cut)]
    return walked


@dataclass(frozen=True, slots=True)
class _Run:
    """One run, the number of steps after which each property broke, and whether nothing was under way at its end."""

    steps: list[Taken]
    found: list[tuple[int, FoundState]]
    ended: bool


def one_run(space: Space, judge: Judge, seed: int) -> tuple[list[Taken], FoundState | None]:
    """Walk one run; stop at the first broken property, if there is one."""
    run = _run(space, judge, seed, SearchBounds().depth)
    return (run.steps[: run.found[0][0]], run.found[0][1]) if run.found else (run.steps, None)


def _run(space: Space, judge: Judge, seed: int, depth: int) -> _Run:
    """Walk one run to its end. Each run weighs the steps differently, so some delay the steps that others hurry."""
    chance = random.Random(seed)  # noqa: S311 - a seed, not a secret
    taste: dict[tuple[str, str], float] = {}
    state, steps, broken = space.begin(), list[Taken](), dict[str, tuple[int, FoundState]]()
    while True:
        rest = space.at_rest(state)
        for found in judge.exactly(state, rest=rest):
            broken.setdefault(found.property.name, (len(steps), found))
        # Sorted, so that a seed repeats the order whatever other runs have discovered before.
        choices = sorted(possible(space, state), key=lambda choice: choice[0])
        if not choices or len(steps) >= depth:
            return _Run(steps, list(broken.values()), rest)
        weights = [taste.setdefault((one.service, one.type), chance.random() ** 3 + 0.001) for one, _ in choices]
        taken, state = chance.choices(choices, weights)[0]
        steps.append(taken)


def shortened(space: Space, judge: Judge, steps: Sequence[Taken], found: FoundState) -> tuple[list[Taken], FoundState]:
    """Leave out steps while the same property stays broken."""
    short, shown = list(steps), found
    again = True
    while again:
        again = False
        for number in reversed(range(len(short))):
            tried = short[:number] + short[number + 1 :]
            broken = _breaks(space, judge, tried, found)
            if broken is not None:
                (short, shown), again = broken, True
                break
    return short, shown


def _breaks(
    space: Space, judge: Judge, steps: Sequence[Taken], found: FoundState
) -> tuple[list[Taken], FoundState] | None:
    """Return the part of a run after which a property is broken, without impossible steps."""
    state = space.begin()
    done: list[Taken] = []
    waiting = list(steps)
    while True:
        broken = judge.exactly(state, rest=space.at_rest(state))
        shown = next((one for one in broken if one.property is found.property), None)
        if shown is not None:
            return done, shown
        if not waiting:
            return None
        wanted = waiting.pop(0)
        after = next((after for taken, after in possible(space, state) if taken == wanted), None)
        if after is not None:
            done.append(wanted)
            state = after
