"""The life of an entity, found by letting its service's reactions loose on it: every state it can come to, and how."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from choreography.contracts import Entity, Event, Intent
from choreography.decision import Decided
from choreography.declaration import Named, Reaction
from choreography.insight.examples import SIZES, NoExampleError, choices
from choreography.insight.trials import Heard, call, entities_for, entity_in, heard_by, ids_in, said_types, states_of
from choreography.insight.wiring import reactions_of
from choreography.service import Service

_MOST_STATES: Final = 2_000
_COUNTED: Final = 10
"""Numbers up to this one are told apart, so that "three attempts" has an end; larger ones are all alike."""

State = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """What one reaction did to an entity in one state. A state is None where there is no entity."""

    reaction: Reaction
    before: State | None
    after: State | None
    said: frozenset[type[Event | Intent]]


@dataclass(slots=True)
class Lifecycle:
    """Every state that an entity was seen in, and every move between two of them.

    Attributes:
        whole: False where there are too many states to see all of them.
    """

    entity: type[Entity]
    first: State | None
    moves: list[Move] = field(default_factory=list)
    states: dict[State | None, Entity | None] = field(default_factory=dict)
    whole: bool = True

    def after(self, state: State | None) -> set[State | None]:
        """Return every state that can follow from one, itself included."""
        seen, waiting = {state}, [state]
        while waiting:
            here = waiting.pop()
            for move in self.moves:
                if move.before == here and move.after not in seen:
                    seen.add(move.after)
                    waiting.append(move.after)
        return seen


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
    tries = [(reaction, named, heard) for reaction, named in acting for heard in _heard(reaction)]
    start: Entity | None = None
    if blank is not None and tries:
        key = next(iter(ids_in(tries[0][1], tries[0][2])), "one")
        start = entity_in(entity, key, 0, {})
    life.first = _state(start)
    life.states[life.first] = start
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for reaction, named, heard in tries:
            for after, said in _outcomes(reaction, named, heard, here):
                _remember(life, waiting, Move(reaction, _state(here), _state(after), said), after)
    return life


def _remember(life: Lifecycle, waiting: deque[Entity | None], move: Move, after: Entity | None) -> None:
    if move not in life.moves:
        life.moves.append(move)
    if move.after in life.states:
        return
    if len(life.states) >= _MOST_STATES:
        life.whole = False
        return
    life.states[move.after] = after
    waiting.append(after)


def _heard(reaction: Reaction) -> list[Heard]:
    try:
        return list(heard_by(reaction))
    except NoExampleError:
        return []


def _outcomes(
    reaction: Reaction, named: Named, heard: Heard, here: Entity | None
) -> Iterator[tuple[Entity | None, frozenset[type[Event | Intent]]]]:
    """Yield what becomes of an entity, for whatever the other entities of the reaction may hold."""
    others = [one for one in reaction.named if one is not named]
    ids = ids_in(named, heard)
    if not ids or (here is None and not (named.optional or named.entity.can_be_blank())):
        return
    for states, size in itertools.product(itertools.product(*map(states_of, others)), SIZES if others else (0,)):
        picked: dict[str, Mapping[str, Any] | None] = {
            one.parameter: state for one, state in zip(others, states, strict=True)
        }
        mine = _placed(named, here, ids)
        try:
            entities = entities_for(reaction, heard, picked | {named.parameter: None}, size) | {named.parameter: mine}
            decided = call(reaction, heard, entities)
        except Exception:  # noqa: BLE001, S112 - whether a reaction is total is another question
            continue
        yield _became(decided, named, here), said_types(decided)


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
    return tuple(_told_apart(getattr(entity, name)) for name in type(entity).model_fields if name != entity.key_field)


def _told_apart(value: Any) -> Any:
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
    saying = (move for move in life.moves if move.reaction.name == reaction.name and said in move.said)
    # Again and again: the entity can come back to the state in which it was said.
    return any(move.before in life.after(move.after) for move in saying)
