"""The life of an entity, found by letting its service's reactions loose on it: every state it can come to, and how."""

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
    """One alternative of a tagged union: its tag, and its fields as far as they are told apart."""

    tag: str
    fields: tuple[Any, ...]

    def __str__(self) -> str:
        return self.tag


@dataclass(frozen=True, slots=True)
class Move:
    """What one reaction did to an entity in one state. A state is None where there is no entity."""

    reaction: Reaction = field(hash=False)
    before: State | None
    after: State | None
    said: frozenset[type[Event | Intent]]


@dataclass
class Lifecycle:
    """Every state that an entity was seen in, and every move between two of them.

    Attributes:
        moves: in the order in which they were seen, each once.
        tried: how often each reaction was tried, by its name, and in how many combinations it could have been.
        whole: False where there are too many states to see all of them.
    """

    entity: type[Entity]
    first: State | None
    moves: dict[Move, None] = field(default_factory=dict)
    states: dict[State | None, Entity | None] = field(default_factory=dict)
    tried: dict[str, tuple[int, int]] = field(default_factory=dict)
    whole: bool = True

    @cached_property
    def rounds(self) -> dict[State | None, int]:
        """A number for each state; states have the same one if each can be come to from the other."""
        return rounds((move.before, move.after) for move in self.moves)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A reaction, the parameter of it whose entity is followed, and whatever else it may meet.

    Attributes:
        others: its other parameters for entities.
        axes: what is heard, the states of each of the others, and how large they are.
        of: how many combinations of these there are, were none of them a sample.
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

    # What is heard and each state stay the same objects for the whole trial, and nobody changes what is made of them.

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
        """Return what another parameter takes, in one of its states."""
        key = (named.parameter, id(heard), id(state), size)
        if key not in self._made:
            self._made[key] = entities_of(named, self.ids(named, heard), state, size)
        return self._made[key]


def main_field(entity: type[Entity]) -> str:
    """Return the field that tells in which state an entity is: `status`, else its first closed field, else nothing."""
    closed = {name: values for name, values in choices(entity).items() if values != (False, True)}
    return "status" if "status" in closed else next(iter(closed), "")


def lifecycle(service: Service, entity: type[Entity]) -> Lifecycle:
    """Let the reactions of a service loose on one entity, each on every state it has come to, until nothing is new."""
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
    """Return what becomes of an entity in one state, for whatever else a reaction may meet, or a sample of it."""
    name = trial.reaction.name
    tried, there = life.tried.get(name, (0, 0))
    most = max(_FEW, min(_MOST_IN_A_STATE, _MOST_BEFORE_FEW - tried))
    # Another sample in every state, and the same ones in every check.
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
            # Most combinations come to the same.
            if came not in found:
                found[came] = (Move(trial.reaction, before, *came), after)
    return list(found.values())


def _outcome(trial: _Trial, heard: Inputs, states: Sequence[Any], size: int, here: Entity | None) -> Decided | None:
    """Return what a reaction decides, or None where it cannot be called or raises."""
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
    except Exception:  # noqa: BLE001 - whether a reaction is total is another question
        return None


def _placed(named: Named, here: Entity | None, ids: tuple[str, ...]) -> Any:
    """Return the entity as the reaction's parameter takes it, under the id that the event names."""
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
    """Return the fields besides the key, each with the tag of the states that it may hold."""
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
    """Tell whether a reaction can say the same again and again to one entity."""
    if reaction.style == "join":
        return False
    if not life.whole:
        return True
    # Again and again: the entity can come back to the state in which it was said.
    return any(
        life.rounds[move.before] == life.rounds[move.after]
        for move in life.moves
        if move.reaction.name == reaction.name and said in move.said
    )
