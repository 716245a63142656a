"""Deep runs by chance, where the states are too many to see all of them; a run that breaks something is shortened."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from choreography.explore.judging import Found, Judge
from choreography.explore.model import Model
from choreography.explore.naming import AsymmetricError
from choreography.explore.runs import Taken, possible
from choreography.explore.scenario import Scenario
from choreography.explore.search import Tally, silent
from choreography.explore.space import Space


@dataclass(slots=True)
class Walked:
    """What walking found.

    Attributes:
        seed: the seed of the walk that broke something; a walk from this seed alone goes the same way.
        steps: the walk that broke something, as short as leaving out steps makes it.
    """

    space: Space
    judge: Judge
    tally: Tally
    found: Found | None = None
    seed: int = 0
    steps: list[Taken] = field(default_factory=list)


def walk(
    model: Model,
    scenario: Scenario,
    *,
    runs: int,
    seed: int,
    told: Callable[[Tally], None] = silent,
) -> Walked:
    """Walk so many runs to their ends, each from a seed of its own: ``seed``, ``seed + 1`` and so on."""
    model = model.beginning_with(scenario)
    try:
        return _walks(Space(model, scenario), runs, seed, told)
    except AsymmetricError:
        return _walks(Space(model, scenario, interchangeable=False), runs, seed, told)


def _walks(space: Space, runs: int, seed: int, told: Callable[[Tally], None]) -> Walked:
    judge, tally, begun, cpu = Judge(space), Tally(), time.monotonic(), time.process_time()
    for number in range(runs):
        steps, found = one_run(space, judge, seed + number)
        tally.ends += 1
        tally.steps += len(steps)
        tally.states += len(steps) + 1
        tally.depth = max(tally.depth, len(steps))
        tally.seconds, tally.cpu = time.monotonic() - begun, time.process_time() - cpu
        if number % 50 == 0:
            told(tally)
        if found is not None:
            short, shown = shortened(space, judge, steps, found)
            return Walked(space, judge, tally, shown, seed + number, short)
    return Walked(space, judge, tally)


def one_run(space: Space, judge: Judge, seed: int) -> tuple[list[Taken], Found | None]:
    """Walk one run. Each has its own taste, so that some walks delay what others hurry."""
    chance = random.Random(seed)  # noqa: S311 - a seed, not a secret
    taste: dict[tuple[str, str], float] = {}
    state, steps = space.begin(), list[Taken]()
    while True:
        found = judge.all(state)
        if found is not None:
            return steps, found
        # In an order that a seed can repeat, whatever other walks have discovered before.
        choices = sorted(possible(space, state), key=lambda choice: choice[0])
        if not choices:
            return steps, None
        weights = [taste.setdefault((one.service, one.type), chance.random() ** 3 + 0.001) for one, _ in choices]
        taken, state = chance.choices(choices, weights)[0]
        steps.append(taken)


def shortened(space: Space, judge: Judge, steps: Sequence[Taken], found: Found) -> tuple[list[Taken], Found]:
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


def _breaks(space: Space, judge: Judge, steps: Sequence[Taken], found: Found) -> tuple[list[Taken], Found] | None:
    """Return the part of a run after which a property is broken, without steps that are not possible."""
    state = space.begin()
    done: list[Taken] = []
    waiting = list(steps)
    while True:
        shown = judge.all(state)
        if shown is not None and shown.property is found.property:
            return done, shown
        if not waiting:
            return None
        wanted = waiting.pop(0)
        after = next((after for taken, after in possible(space, state) if taken == wanted), None)
        if after is not None:
            done.append(wanted)
            state = after
