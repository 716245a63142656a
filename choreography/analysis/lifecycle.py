"""The lifecycle of an entity: every state that its service's reactions can bring it to, and how."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache
from math import prod
from typing import Any, Final, NamedTuple

from choreography.analysis.examples import SIZES, NoExampleError, choices
from choreography.analysis.graph import rounds
from choreography.analysis.reaction_probe import (
    Inputs,
    Place,
    entities_of,
    entity_in,
    ids_in,
    inputs_of,
    named_in,
    probe,
    said_types,
    states_of,
)
from choreography.analysis.sampling import Sample, sample
from choreography.analysis.wiring import reactions_of
from choreography.contracts import Entity, Event, Intent
from choreography.decision import Decided
from choreography.declaration import Named, Reaction
from choreography.fields import tag_of
from choreography.service import Service

_MOST_STATES: Final = 2_000
_MOST_IN_A_STATE: Final = 1_000
_MOST_BEFORE_FEW: Final = 2_000
_FEW: Final = 2
"""A reaction is tried in every combination of a state, until it was tried so often; then in a few of each state."""

_COUNTED: Final = 10
"""Numbers up to this one are told apart, so that "three attempts" has an end; larger ones are all alike."""

State = tuple[Any, ...]


class Tagged(NamedTuple):
    """One alternative of a tagged union: its tag, and those of its fields that distinguish states."""

    tag: str
    fields: tuple[Any, ...]

    def __str__(self) -> str:
        return self.tag


@dataclass(frozen=True, slots=True)
class Move:
    """The change that one reaction made to an entity in one state. A state is None if there is no entity."""

    reaction: Reaction = field(hash=False)
    before: State | None
    after: State | None
    said: frozenset[type[Event | Intent]]


@dataclass
class Lifecycle:
    """Every state that an entity reached, and every move between two of them.

    Attributes:
        moves: each move once, in the order in which they were found.
        tried: how often each reaction was tried, by its name, and how many combinations there are.
        whole: False if there are too many states to see all of them.
    """

    entity: type[Entity]
    first: State | None
    moves: dict[Move, None] = field(default_factory=dict)
    states: dict[State | None, Entity | None] = field(default_factory=dict)
    tried: dict[str, tuple[int, int]] = field(default_factory=dict)
    whole: bool = True

    @cached_property
    def rounds(self) -> dict[State | None, int]:
        """A number for each state; two states have the same number if each can be reached from the other."""
        return rounds((move.before, move.after) for move in self.moves)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A reaction, its parameter for the followed entity, and the other arguments that it may get.

    Attributes:
        others: its other parameters for entities.
        axes: the events, the states of each other entity, and their sizes.
        of: the number of combinations of these without sampling.
    """

    reaction: Reaction
    named: Named
    others: tuple[Named, ...]
    axes: tuple[Sequence[Any], ...]
    of: int
    _ids: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    _allowed: dict[int, frozenset[Place]] = field(default_factory=dict)
    _made: dict[tuple[str, int, int, int], Any] = field(default_factory=dict)

    @property
    def heard(self) -> Sequence[Inputs]:
        return self.axes[0]

    # Events and states stay the same objects during the whole trial, and no code changes the values made from them.

    def ids(self, named: Named, heard: Inputs) -> tuple[str, ...]:
        """Return the ids that a parameter names."""
        key = (named.parameter, id(heard))
        if key not in self._ids:
            self._ids[key] = ids_in(named, heard)
        return self._ids[key]

    def allowed(self, heard: Inputs) -> frozenset[Place]:
        """Return the entities that the reaction may change."""
        if id(heard) not in self._allowed:
            self._allowed[id(heard)] = named_in(self.reaction, heard)
        return self._allowed[id(heard)]

    def made(self, named: Named, heard: Inputs, state: Any, size: int) -> Any:
        """Return the argument for another parameter, in one of its states."""
        key = (named.parameter, id(heard), id(state), size)
        if key not in self._made:
            self._made[key] = entities_of(named, self.ids(named, heard), state, size)
        return self._made[key]


def main_field(entity: type[Entity]) -> str:
    """Return the field that holds the state of an entity: `status`, else its first closed field, else None."""
    closed = {name: values for name, values in choices(entity).items() if values != (False, True)}
    return "status" if "status" in closed else next(iter(closed), "")


def lifecycle(service: Service, entity: type[Entity]) -> Lifecycle:
    """Try the reactions of a service on one entity, each in every state that it has reached, until nothing is new."""
    acting = [
        (reaction, named)
        for reaction in reactions_of(service)
        if reaction.style != "undo"
        for named in reaction.named
        if named.entity is entity
    ]
    blank = None if any(named.optional for _, named in acting) or not entity.can_be_blank() else ""
    life = Lifecycle(entity, None)
    trials = [_trial(reaction, named) for reaction, named in acting]
    start: Entity | None = None
    first = next((trial for trial in trials if trial.heard), None)
    if blank is not None and first is not None:
        key = next(iter(ids_in(first.named, first.heard[0])), "one")
        start = entity_in(entity, key, 0, {})
    life.first = _state(start)
    life.states[life.first] = start
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for trial in trials:
            for move, after in _moves(life, trial, here):
                _remember(life, waiting, move, after)
    return life


def _remember(life: Lifecycle, waiting: deque[Entity | None], move: Move, after: Entity | None) -> None:
    life.moves.setdefault(move)
    if move.after in life.states:
        return
    if len(life.states) >= _MOST_STATES:
        life.whole = False
        return
    life.states[move.after] = after
    waiting.append(after)


def _trial(reaction: Reaction, named: Named) -> _Trial:
    try:
        heard = inputs_of(reaction)
    except NoExampleError:
        heard = Sample((), 0)
    others = tuple(one for one in reaction.named if one is not named)
    states, sizes = [states_of(one) for one in others], SIZES if others else (0,)
    axes = (heard.picked, *(one.picked for one in states), sizes)
    return _Trial(reaction, named, others, axes, heard.of * prod(one.of for one in states) * len(sizes))


def _moves(life: Lifecycle, trial: _Trial, here: Entity | None) -> list[tuple[Move, Entity | None]]:
    """Return the moves of an entity from one state, for all other arguments of a reaction, or a sample of them."""
    name = trial.reaction.name
    tried, there = life.tried.get(name, (0, 0))
    most = max(_FEW, min(_MOST_IN_A_STATE, _MOST_BEFORE_FEW - tried))
    # Each state gets another sample, and every check gets the same ones.
    combinations = sample(trial.axes, most, seed=tried).picked
    life.tried[name] = (tried + len(combinations), there + trial.of)
    before = _state(here)
    found: dict[tuple[State | None, frozenset[type[Event | Intent]]], tuple[Move, Entity | None]] = {}
    for heard, *states, size in combinations:
        outcome = _outcome(trial, heard, states, size, here)
        if outcome is not None:
            after = _became(outcome, trial.named, here)
            then = before if after is here else _state(after)
            came = (then, said_types(outcome))
            # Most combinations have the same result.
            if came not in found:
                found[came] = (Move(trial.reaction, before, *came), after)
    return list(found.values())


def _outcome(trial: _Trial, heard: Inputs, states: Sequence[Any], size: int, here: Entity | None) -> Decided | None:
    """Return the decision of a reaction, or None if it cannot be called or raises."""
    reaction, named = trial.reaction, trial.named
    ids = trial.ids(named, heard)
    if not ids or (here is None and not (named.optional or named.entity.can_be_blank())):
        return None
    mine = _placed(named, here, ids)
    try:
        entities = {
            one.parameter: trial.made(one, heard, state, size) for one, state in zip(trial.others, states, strict=True)
        }
        return probe(reaction, heard, entities | {named.parameter: mine}, trial.allowed(heard))
    except Exception:  # noqa: BLE001 - another rule checks whether a reaction is total
        return None


def _placed(named: Named, here: Entity | None, ids: tuple[str, ...]) -> Any:
    """Return the entity as the reaction's parameter takes it, under the id from the event."""
    entity = here
    if entity is None and not named.optional:
        entity = entity_in(named.entity, ids[0], 0, {})
    elif entity is not None and entity.key != ids[0]:
        entity = entity.but(**{named.entity.key_field: ids[0]})
    if not named.many:
        return entity
    return {one: entity if one == ids[0] or entity is None else entity_in(named.entity, one, 0, {}) for one in ids}


def _became(decided: Decided, named: Named, here: Entity | None) -> Entity | None:
    if any(type(entity) is named.entity for entity in decided.gone):
        return None
    return next((entity for entity in decided.entities if type(entity) is named.entity), here)


def _state(entity: Entity | None) -> State | None:
    if entity is None:
        return None
    return tuple(_distinguished(getattr(entity, name), tag) for name, tag in _fields(type(entity)))


@lru_cache(maxsize=256)
def _fields(entity: type[Entity]) -> tuple[tuple[str, str], ...]:
    """Return the fields except the key, each with the tag of the state that it may hold."""
    fields = entity.model_fields.items()
    return tuple((name, tag_of(field.annotation)) for name, field in fields if name != entity.key_field)


def _distinguished(value: Any, tag: str = "") -> Any:
    if tag and value is not None:
        return Tagged(str(getattr(value, tag)), tuple(map(_distinguished, value.__dict__.values())))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-1, min(value, _COUNTED + 1))
    return value


def repeats(life: Lifecycle, reaction: Reaction, said: type[Event | Intent]) -> bool:
    """Tell whether a reaction can publish the same event again and again for one entity."""
    if reaction.style == "join":
        return False
    if not life.whole:
        return True
    # Again and again: the entity can return to the state in which the event was published.
    return any(
        life.rounds[move.before] == life.rounds[move.after]
        for move in life.moves
        if move.reaction.name == reaction.name and said in move.said
    )
