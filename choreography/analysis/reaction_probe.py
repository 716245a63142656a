"""Tries a reaction in generated states, as the engine would but without an engine, and checks its decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import prod
from typing import Any, Final

from choreography.analysis.examples import choices, example, variants
from choreography.analysis.sampling import Sample, sample
from choreography.contracts import Answer, Deadline, Entity, Event, Intent, Value
from choreography.decision import Decided, read_decision
from choreography.declaration import Named, Reaction
from choreography.errors import UnsayableEventError

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
_SILENCE: Final[frozenset[type[Event | Intent]]] = frozenset()

_MOST_STATES: Final = 256
_MOST_HEARD: Final = 256

Inputs = Mapping[str, Value]
"""What a reaction hears, by parameter; for a deadline also the event it started at, under an empty name."""

State = Mapping[str, Any] | None
"""The closed fields of an entity; None where there is no entity."""


def inputs_of(reaction: Reaction, size: int = 1) -> Sample[Inputs]:
    """Return the events that a reaction may get: one for each combination of closed fields, or a sample of many.

    Raises:
        NoExampleError: no example of the contract of an event can be generated.
    """
    models = [model for model in reaction.hears if issubclass(model, (Event, Answer))]
    of_models = [variants(model, size) for model in models]
    together = sample([one.picked for one in of_models], _MOST_HEARD)
    heard = tuple(_heard(reaction, dict(zip(models, picked, strict=True))) for picked in together.picked)
    return Sample(heard, prod(one.of for one in of_models))


def _heard(reaction: Reaction, by_model: Mapping[type[Value], Value]) -> Inputs:
    first = next(iter(by_model.values()))
    if reaction.style == "deadline":
        reminder = Deadline(name=reaction.name, due=NOON)
        return {**dict.fromkeys(reaction.event_parameters, reminder), "": first}
    return {name: by_model[model] for name, model in reaction.event_parameters.items()} | {"": first}


def ids_in(named: Named, heard: Inputs) -> tuple[str, ...]:
    """Return the ids of the entities that a parameter names."""
    return named.ids(heard[""])


Place = tuple[str, str]
"""An entity that a reaction names: its kind and its key."""


def named_in(reaction: Reaction, heard: Inputs) -> frozenset[Place]:
    """Return the entities that a reaction names, which it may change."""
    return frozenset((named.entity.kind, one) for named in reaction.named for one in ids_in(named, heard))


def probe(
    reaction: Reaction, heard: Inputs, entities: Mapping[str, Any], allowed: frozenset[Place] | None = None
) -> Decided:
    """Call a reaction and compare its decision with its declaration, as the engine does.

    Args:
        reaction: the reaction to call.
        heard: its event.
        entities: its entities, by parameter.
        allowed: the entities that it names, if they are known already.

    Raises:
        Exception: any error that the reaction raises.
        UnsayableEventError: it returned None, changed an entity that it did not name, or published an event that it
            does not declare.
    """
    events = {name: value for name, value in heard.items() if name}
    decided = read_decision(reaction.function(**events, **entities), reaction.name)
    allowed = named_in(reaction, heard) if allowed is None else allowed
    for entity in (*decided.entities, *decided.gone):
        if (entity.kind, entity.key) not in allowed:
            raise UnsayableEventError(f"it changed the {entity.kind} {entity.key!r}, which it does not name")
    for said in (*decided.events, *decided.intents):
        if type(said) not in reaction.said:
            raise UnsayableEventError(f"it said {type(said).__name__}, which its return annotation does not declare")
    return decided


def entity_in(kind: type[Entity], key: str, size: int, state: Mapping[str, Any]) -> Entity:
    """Return an entity with a key in a state; its other fields have the given size."""
    given = {kind.key_field: key, **state}
    return kind(**given) if size == 0 and kind.can_be_blank() else example(kind, size, **given)


def states_of(named: Named) -> Sample[State]:
    """Return the combinations of an entity's closed fields, and None if the reaction accepts that there is no entity.

    Of too many combinations, the result is a sample.
    """
    closed = choices(named.entity)
    combinations = sample(list(closed.values()), _MOST_STATES)
    states: tuple[State, ...] = tuple(dict(zip(closed, picked, strict=True)) for picked in combinations.picked)
    return Sample((None, *states), combinations.of + 1) if named.optional else Sample(states, combinations.of)


def entities_for(
    reaction: Reaction, heard: Inputs, states: Mapping[str, Mapping[str, Any] | None], size: int
) -> dict[str, Any]:
    """Return the entities of a reaction's parameters in given states, by parameter."""
    return {
        named.parameter: entities_of(named, ids_in(named, heard), states[named.parameter], size)
        for named in reaction.named
    }


def entities_of(named: Named, ids: Sequence[str], state: State, size: int) -> Any:
    """Return the argument of a parameter for the entities of some ids in a given state: all, or the only one."""
    made = {one: None if state is None else entity_in(named.entity, one, size, state) for one in ids}
    return made if named.many else next(iter(made.values()), None)


def said_types(decided: Decided) -> frozenset[type[Event | Intent]]:
    """Return the types of the events and intents in a decision."""
    if not (decided.events or decided.intents):
        return _SILENCE
    return frozenset({type(one) for one in decided.events} | {type(one) for one in decided.intents})
