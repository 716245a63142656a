"""Runs: sequences of steps with unsorted flows, found by a search or at random, and shortened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from choreography.explore.arranging import State, exchanged
from choreography.explore.facts import Coming, HasPublished, OnItsWay
from choreography.explore.judging import FoundState, Judge
from choreography.explore.naming import SHARED
from choreography.explore.rerunning import Replay
from choreography.explore.space import Space, Step


@dataclass(frozen=True, slots=True, order=True)
class Taken:
    """One step, recorded so that it can be taken again elsewhere."""

    style: str
    service: str
    type: str
    text: str
    replies: str = ""


def possible(space: Space, state: State) -> Iterator[tuple[Taken, State]]:
    """Return every step from a state in which each flow keeps its place."""
    for number, step, after in _steps(space, state):
        yield _taken(space, step, number), after


def _steps(space: Space, state: State) -> Iterator[tuple[int, Step, State]]:
    for step in space.steps(0, state[0], SHARED):
        yield SHARED, step, (step.shared, *state[1:])
    for number, own in enumerate(state[1:]):
        for step in space.steps(own, state[0], number):
            yield number, step, (step.shared, *state[1 : number + 1], step.own, *state[number + 2 :])


def _taken(space: Space, step: Step, number: int) -> Taken:
    pending, concrete = step.move.pending, space.naming.concrete
    if isinstance(pending, Coming):
        said = next(fact for _, fact in step.outcome.facts if isinstance(fact, HasPublished))
        return Taken("foreign", space.model.source(pending.type), pending.type, concrete(said.text, number))
    if isinstance(pending, OnItsWay):
        heard = pending.heard
        return Taken(heard.style, heard.service, heard.type, concrete(heard.text, number), step.outcome.label)
    text = concrete(pending.text, number)
    return Taken("intent", pending.service, pending.effect, text, step.outcome.label)


def steps_along(space: Space, path: Sequence[State], found: FoundState | None = None) -> list[Taken]:
    """Return the steps that lead along a path of states whose flows are sorted.

    Args:
        space: the space in which they were found.
        path: the states.
        found: the finding at the end of the run. It shows which of the exchangeable flows is which.
    """
    state, along = space.begin(), list[tuple[int, Step]]()
    for wanted in path[1:]:
        for number, step, after in _steps(space, state):
            if space.arranging.sorted(after) == wanted:
                along.append((number, step))
                state = after
                break
        else:
            raise LookupError("No step leads to the next state of the path.")
    order = _order_that_shows(space, state, found)
    return [_taken(space, step, order.index(number) if number != SHARED else SHARED) for number, step in along]


def _order_that_shows(space: Space, state: State, found: FoundState | None) -> tuple[int, ...]:
    orders = space.arranging.orders
    if found is None or len(orders) == 1:
        return orders[0]
    judge = Judge(space, exact=True)
    for order in orders:
        one = exchanged(state, order)
        if any(each.property is found.property for each in judge.exactly(one, rest=space.at_rest(one))):
            return order
    return orders[0]


def replayed(space: Space, steps: Sequence[Taken]) -> Replay:
    """Take the steps of a run on the services as production runs them."""
    replay = Replay(space.model, space.scenario)
    for one in steps:
        replay.take(one.style, one.service, one.type, one.text, one.replies)
    return replay
