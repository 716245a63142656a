"""Repeats the calls of an exploration in another order and in fresh processes: the results must be the same.

Where the explorer makes a call, it repeats it at once and compares. This module finds functions that differ only later:
those that remember earlier calls, or that depend on their process.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice, zip_longest
from typing import Final, TypeVar

from choreography.analysis.examples import NoExampleError
from choreography.explore.determinism import other_than
from choreography.explore.elsewhere import ELSEWHERE, ImpureError
from choreography.explore.fresh import FRESH, tried_in_fresh_processes
from choreography.explore.judging import Judge
from choreography.explore.production_step import Made
from choreography.explore.recorded_calls import (
    CallResult,
    Trial,
    Trying,
    came_of_effect,
    came_of_property,
    came_of_reaction,
    came_of_scenario,
    trial_of_effect,
    trial_of_property,
    trial_of_reaction,
    trial_of_scenario,
    trials_of_command,
)
from choreography.explore.space import Space

_REACTIONS: Final = 120
_OTHERS: Final = 60
"""So many decisions, and so many trials of effects and properties, are tried again."""

Once = tuple[Trial, CallResult]
"""A trial, and what came of it at first."""

One = TypeVar("One")


class Purity:
    """All sorts of functions that an exploration called: some calls of each, and their results.

    Attributes:
        untried: the commands without any known call, each with the reason.
    """

    def __init__(self, space: Space, judge: Judge) -> None:
        self._model, self._elsewhere = space.model, space.deciding.elsewhere
        self._trying = Trying(space.model, space.deciding)
        self.untried: list[str] = []
        self._space, self._judge = space, judge

    @cached_property
    def _once(self) -> list[Once]:
        return [*_explored(self._space, self._judge), *self._commands()]

    def refuse_other_order(self) -> None:
        """Repeat every call in this process, the last one first.

        Raises:
            ImpureError: a call has another result.
        """
        last_first = self._once[::-1]
        with self._elsewhere:
            again = [self._trying.try_(trial) for trial, _ in last_first]
        for error in _differences(last_first, again, f"in another order, {ELSEWHERE}"):
            raise error

    def refuse_other_process(self) -> None:
        """Repeat every call in fresh processes.

        Raises:
            ImpureError: a call has another result.
        """
        for error in self.in_fresh_processes():
            raise error

    def in_fresh_processes(self) -> Iterator[ImpureError]:
        """Yield the calls that have another result in a fresh process."""
        for again in tried_in_fresh_processes(self._model, [trial for trial, _ in self._once]):
            yield from _differences(self._once, again, FRESH)

    def _commands(self) -> Iterator[Once]:
        for service in self._model.services:
            for command in service.commands:
                try:
                    yield from ((one, self._trying.try_(one)) for one in trials_of_command(service, command))
                except NoExampleError as error:
                    self.untried.append(f"{service.name}.{command.name}: {error}")


def _explored(space: Space, judge: Judge) -> Iterator[Once]:
    deciding, flows = space.deciding, space.scenario.flows
    if space.scenario.name in space.model.makers:
        yield trial_of_scenario(space.scenario), came_of_scenario(space.scenario)
    for made in _some(_by_kind(deciding.made), _REACTIONS):
        yield trial_of_reaction(made), came_of_reaction(made.heard.service, made.decided, made.calls)
    for tried in _some([deciding.tried], _OTHERS):
        yield trial_of_effect(tried), came_of_effect(tried.ways, tried.calls)
    for one in _some([judge.samples], _OTHERS):
        yield (
            trial_of_property(one.property, flows, one.flow, one.texts),
            came_of_property(one.property, verdict=one.verdict),
        )


def _by_kind(made: Iterable[Made]) -> list[list[Made]]:
    """Return decisions in groups that differ in their event, in the reactions that ran, or in the result."""
    groups: dict[Hashable, list[Made]] = {}
    for one in made:
        ran = tuple(name for name, _ in one.calls)
        did = tuple(name for name, _ in (*one.decided.said, *one.decided.intents, *one.decided.deadlines))
        groups.setdefault((one.heard.service, one.heard.type, ran, did, bool(one.decided.kept)), []).append(one)
    return list(groups.values())


def _some(groups: Sequence[Sequence[One]], most: int) -> list[One]:
    """Return at most this many, spread evenly over the groups."""
    in_turn = (one for row in zip_longest(*groups, fillvalue=None) for one in row if one is not None)
    return list(islice(in_turn, most))


def _differences(once: Sequence[Once], again: Sequence[CallResult], where: str) -> Iterator[ImpureError]:
    for (trial, came), other in zip(once, again, strict=True):
        if other.text != came.text:
            guilty = other_than(came.parts, other.parts) or trial.name
            yield ImpureError(guilty, trial.shown, came.shown, other.shown, where=where, kind=trial.kind)
