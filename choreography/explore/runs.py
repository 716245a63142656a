"""Runs: sequences of steps with the flows where they are, found by a search or by chance, and made shorter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from choreography.explore.facts import OnItsWay
from choreography.explore.naming import SHARED
from choreography.explore.replaying import Replay
from choreography.explore.space import Space, State, Step


@dataclass(frozen=True, slots=True, order=True)
class Taken:
    """One step, told so that it can be taken again elsewhere."""

    style: str
    service: str
    type: str
    text: str
    replies: str = ""


def possible(space: Space, state: State) -> Iterator[tuple[Taken, State]]:
    """Return every step from a state whose flows stay where they are."""
    for step in space.steps(0, state[0], SHARED):
        yield _taken(space, step, SHARED), (step.shared, *state[1:])
    for number, own in enumerate(state[1:]):
        for step in space.steps(own, state[0], number):
            after = (step.shared, *state[1 : number + 1], step.own, *state[number + 2 :])
            yield _taken(space, step, number), after


def _taken(space: Space, step: Step, number: int) -> Taken:
    pending, concrete = step.move.pending, space.naming.concrete
    if isinstance(pending, OnItsWay):
        heard = pending.heard
        return Taken(heard.style, heard.service, heard.type, concrete(heard.text, number))
    text = concrete(pending.text, number)
    return Taken("intent", pending.service, pending.effect, text, step.outcome.label)


def steps_along(space: Space, path: Sequence[State]) -> list[Taken]:
    """Return the steps that lead along a path of states whose flows are sorted."""
    state, taken = space.begin(), list[Taken]()
    for wanted in path[1:]:
        for step, after in possible(space, state):
            if (after[0], *sorted(after[1:])) == wanted:
                taken.append(step)
                state = after
                break
        else:
            raise LookupError("No step leads to the next state of the path.")
    return taken


def replayed(space: Space, steps: Sequence[Taken]) -> Replay:
    """Take the steps of a run on the services as production runs them."""
    replay = Replay(space.model, space.scenario)
    for one in steps:
        replay.take(one.style, one.service, one.type, one.text, one.replies)
    return replay
