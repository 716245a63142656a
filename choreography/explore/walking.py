"""Deep runs by chance, where the states are too many to see all of them; a run that breaks something is shortened."""

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
    """A walk that broke something.

    Attributes:
        seed: a walk from this seed alone goes the same way.
        steps: the walk, as short as leaving out steps makes it.
    """

    found: FoundState
    seed: int
    steps: list[Taken]


@dataclass(slots=True)
class Walked:
    """What walking found.

    Attributes:
        violations: each property that was broken, once, in the order found.
        bounds: which runs were not walked to their ends, and why.
    """

    space: Space
    judge: Judge
    tally: Tally
    violations: list[Walk] = field(default_factory=list)
    bounds: list[str] = field(default_factory=list)

    @property
    def found(self) -> FoundState | None:
        """What was found first."""
        return self.violations[0].found if self.violations else None

    @property
    def seed(self) -> int:
        """The seed of the walk that broke it."""
        return self.violations[0].seed if self.violations else 0

    @property
    def steps(self) -> list[Taken]:
        """That walk, shortened."""
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
    """Walk so many runs to their ends, each from a seed of its own: ``seed``, ``seed + 1`` and so on.

    Raises:
        ImpureError: something that must be pure is not. Where something is broken, that is not asked for.
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
    """One run, what broke after how many steps, and whether nothing was on its way any more in the end."""

    steps: list[Taken]
    found: list[tuple[int, FoundState]]
    ended: bool


def one_run(space: Space, judge: Judge, seed: int) -> tuple[list[Taken], FoundState | None]:
    """Walk one run, to the first thing that breaks if anything does."""
    run = _run(space, judge, seed, SearchBounds().depth)
    return (run.steps[: run.found[0][0]], run.found[0][1]) if run.found else (run.steps, None)


def _run(space: Space, judge: Judge, seed: int, depth: int) -> _Run:
    """Walk one run to its end. Each has its own taste, so that some walks delay what others hurry."""
    chance = random.Random(seed)  # noqa: S311 - a seed, not a secret
    taste: dict[tuple[str, str], float] = {}
    state, steps, broken = space.begin(), list[Taken](), dict[str, tuple[int, FoundState]]()
    while True:
        rest = space.at_rest(state)
        for found in judge.exactly(state, rest=rest):
            broken.setdefault(found.property.name, (len(steps), found))
        # In an order that a seed can repeat, whatever other walks have discovered before.
        choices = sorted(possible(space, state), key=lambda choice: choice[0])
        if not choices or len(steps) >= depth:
            return _Run(steps, list(broken.values()), rest)
        weights = [taste.setdefault((one.service, one.type), chance.random() ** 3 + 0.001) for one, _ in choices]
        taken, state = chance.choices(choices, weights)[0]
        steps.append(taken)


def shortened(space: Space, judge: Judge, steps: Sequence[Taken], found: FoundState) -> tuple[list[Taken], FoundState]:
    """Leave out steps, as long as the same property is broken."""
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
    """Return the part of a run after which a property is broken, without steps that are not possible."""
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
