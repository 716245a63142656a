"""Reactions without a decision for some state of their entities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from random import Random
from typing import Any, Final

from pydantic import ValidationError

from choreography.analysis.examples import SIZES, NoExampleError, choices, same_choice
from choreography.analysis.lifecycle import Lifecycle
from choreography.analysis.reaction_probe import Inputs, State, entities_for, ids_in, inputs_of, probe, states_of
from choreography.analysis.sampling import sample
from choreography.analysis.wiring import reactions_of
from choreography.check.finding import CheckedFlow, Found
from choreography.contracts import Entity
from choreography.declaration import Named, Reaction
from choreography.service import Service

_MOST_COMBINATIONS: Final = 4_000
_MOST_CALLS: Final = 20_000
_MOST_LIVES: Final = 20
_SHOWN: Final = 3

States = Mapping[str, State]
Lived = Mapping[tuple[Any, ...], Sequence[Entity]]
"""What an entity's own life leaves in it, by its closed fields."""


@dataclass(frozen=True, slots=True)
class _Gap:
    states: str
    heard: str
    error: Exception


def partial(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each reaction that raises, or returns None, in a state that its entities can be in."""
    for service, reaction in _every(flow):
        gaps = _gaps(flow, service, reaction)
        if isinstance(gaps, tuple) and gaps:
            states = list(dict.fromkeys(f"{gap.states} on {gap.heard}" for gap in gaps))
            shown = "; ".join(states[:_SHOWN]) + (f"; and {len(states) - _SHOWN} more" if states[_SHOWN:] else "")
            yield Found(
                f"{service.name}.{reaction.name}",
                f"{service.name}.{reaction.name} has no answer in {shown}: {_told(gaps[0].error)}",
                "Give every state an answer: a new state, a fact, or `nothing` where there is nothing to do.",
                reaction.function,
            )


def untried(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each reaction that cannot be tried, because no example of its event or its entity can be generated."""
    for service, reaction in _every(flow):
        gaps = _gaps(flow, service, reaction)
        if isinstance(gaps, NoExampleError):
            yield Found(
                f"{service.name}.{reaction.name}",
                f"{service.name}.{reaction.name} was not tried. {gaps}",
                'Add examples to the field, Field(examples=["..."]), so that the reaction can be tried.',
                reaction.function,
            )


def _every(flow: CheckedFlow) -> Iterator[tuple[Service, Reaction]]:
    for service in flow.services:
        for reaction in reactions_of(service):
            if reaction.style != "undo":
                yield service, reaction


def _gaps(flow: CheckedFlow, service: Service, reaction: Reaction) -> tuple[_Gap, ...] | NoExampleError:
    """Return each combination of states and event without a decision, or the reason why none can be tried."""

    def find() -> tuple[_Gap, ...] | NoExampleError:
        try:
            return _found(flow, service, reaction)
        except NoExampleError as error:
            return error

    return flow.once(("gaps", service.name, reaction.name, reaction.style), find)


def _found(flow: CheckedFlow, service: Service, reaction: Reaction) -> tuple[_Gap, ...]:
    """Return each combination of states and event without a decision.

    Closed fields (Literal, bool, enumerations) are tried in every combination, or in a sample of too many. The other
    fields of an entity or an event are tried small, middling, large, and with the values from the entity's own
    lifecycle: a decision for any of these counts, as not every pair of amounts can occur. In states that no lifecycle
    reaches, a validation error does not count as a fault either.
    """
    flow.at_work(f"{service.name}.{reaction.name}")
    by_size = [inputs_of(reaction, size) for size in SIZES]
    of_states = [states_of(named) for named in reaction.named]
    heard = list(zip(*(one.picked for one in by_size), strict=True))
    axes: list[Sequence[Any]] = [*(one.picked for one in of_states), heard]
    combinations = list(enumerate(sample(axes, _MOST_COMBINATIONS).picked))
    there = by_size[0].of * prod(one.of for one in of_states)
    if there == len(combinations):
        # If the calls do not suffice for all combinations, those that are left out are spread at random.
        Random(0).shuffle(combinations)  # noqa: S311 - no secret
    lives = {named.parameter: _lived(flow.life(service, named.entity)) for named in reaction.named if not named.many}
    gaps: dict[int, _Gap] = {}
    calls = tried = 0
    for place, (*picked, sizes) in combinations:
        if calls >= _MOST_CALLS:
            break
        tried += 1
        states = {named.parameter: state for named, state in zip(reaction.named, picked, strict=True)}
        lived = {parameter: _matching(life, states[parameter]) for parameter, life in lives.items()}
        error, more = _refusal(reaction, states, sizes, lived)
        calls += more
        reachable = all(found or states[parameter] is None for parameter, found in lived.items())
        if error is not None and (reachable or not isinstance(error, ValidationError)):
            gaps[place] = _Gap(_spoken(reaction, states), _heard(sizes[0]), error)
    flow.note_tries(f"{service.name}.{reaction.name}", tried, there)
    return tuple(gaps[place] for place in sorted(gaps))


def _lived(life: Lifecycle) -> Lived:
    closed = choices(life.entity)
    lived: dict[tuple[Any, ...], list[Entity]] = {}
    for entity in life.states.values():
        if entity is not None:
            alike = lived.setdefault(tuple(same_choice(getattr(entity, name)) for name in closed), [])
            if len(alike) < _MOST_LIVES:
                alike.append(entity)
    return lived


def _matching(lived: Lived, state: State) -> Sequence[Entity]:
    return () if state is None else lived.get(tuple(map(same_choice, state.values())), ())


def _refusal(
    reaction: Reaction, states: States, sizes: Sequence[Inputs], lived: Mapping[str, Sequence[Entity]]
) -> tuple[Exception | None, int]:
    """Return the reason why every try failed, and the number of calls; None as soon as a try succeeds."""
    first: Exception | None = None
    calls = 0
    for heard in sizes:
        for entities in _entities(reaction, heard, states, lived):
            calls += 1
            try:
                probe(reaction, heard, entities)
            except Exception as error:  # noqa: BLE001 - any error of a reaction is what the rule looks for
                first = first or error
            else:
                return None, calls
    return first, calls


def _entities(
    reaction: Reaction, heard: Inputs, states: States, lived: Mapping[str, Sequence[Entity]]
) -> Iterator[dict[str, Any]]:
    for size in SIZES:
        made = entities_for(reaction, heard, states, size)
        yield made
        for named in reaction.named:
            for entity in lived.get(named.parameter, ()):
                yield made | {named.parameter: _keyed(named, heard, entity)}


def _keyed(named: Named, heard: Inputs, entity: Entity) -> Entity:
    return entity.but(**{named.entity.key_field: ids_in(named, heard)[0]})


def _spoken(reaction: Reaction, states: States) -> str:
    told = []
    for named in reaction.named:
        state = states[named.parameter]
        if state is None:
            told.append(f"no {named.entity.__name__}")
        elif state:
            told.append(f"{named.entity.__name__} {', '.join(f'{name}={value!r}' for name, value in state.items())}")
    return " and ".join(told) or "any state"


def _heard(heard: Inputs) -> str:
    event = heard[""]
    told = ", ".join(f"{name}={getattr(event, name)!r}" for name in choices(type(event)))
    return f"{type(event).__name__} {told}".strip()


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{error.title}.{'.'.join(str(part) for part in first['loc'])} would be refused ({first['msg']})."
    return f"{type(error).__name__}: {str(error).rstrip('.')}."
