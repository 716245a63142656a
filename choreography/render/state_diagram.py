"""The states of an entity as Mermaid, found by trying the service's own reactions on it, never drawn by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from choreography.analysis.examples import choices
from choreography.analysis.lifecycle import Lifecycle, Move, State, lifecycle, main_field
from choreography.contracts import Entity
from choreography.declaration import Reaction
from choreography.render.diagram import spoken
from choreography.service import Service

Arrow: TypeAlias = tuple[str, str]
Told: TypeAlias = dict[str, set[str]]
"""What is heard, by what is then said."""


@dataclass(frozen=True, slots=True)
class StateDiagram:
    """The parts of an entity's page about its states.

    Attributes:
        mermaid: the moves from one state to another; empty if no field holds the state of the entity.
        staying: the reactions that leave the state unchanged: the state, the event, and what the reaction publishes or
            stores. In the picture they would hide the moves.
    """

    mermaid: str = ""
    staying: tuple[tuple[str, str], ...] = ()


def state_diagram(service: Service, entity: type[Entity]) -> StateDiagram:
    """Return the state diagram of an entity."""
    field = main_field(entity)
    if not field:
        return StateDiagram()
    life = lifecycle(service, entity)
    moves: dict[Arrow, Told] = {}
    stays: dict[str, set[str]] = {}
    for move in life.moves:
        before, after = _named(life, move.before, field), _named(life, move.after, field)
        if before != after:
            moves.setdefault((before, after), {}).setdefault(_said(move), set()).add(_heard(move.reaction))
        elif move.said or _turned(life, move):
            stays.setdefault(before, set()).add(f"{_heard(move.reaction)}{_said(move)}")
    first = _named(life, life.first, field)
    order = _in_order(first, moves)
    staying = tuple((state, label) for state in order for label in sorted(stays.get(state, ())))
    return StateDiagram("\n".join(_lines(first, order, moves)) + "\n", staying)


def _lines(first: str, order: Sequence[str], moves: Mapping[Arrow, Told]) -> Iterator[str]:
    yield "stateDiagram-v2"
    yield from (f'    state "{state}" as {_id(state)}' for state in order if _id(state) != state)
    # The engine stores no entity that no reaction has returned, so an entity begins in its blank state.
    if first != "[*]":
        yield f"    [*] --> {_id(first)}"
    for source in order:
        for target in order:
            if (source, target) in moves:
                yield f"    {_id(source)} --> {_id(target)}: {_label(moves[source, target])}"


def _turned(life: Lifecycle, move: Move) -> bool:
    """Tell whether another closed field changed, which a reader would miss in the picture."""
    if move.before is None or move.after is None:
        return False
    names = [name for name in life.entity.model_fields if name != life.entity.key_field]
    closed = [names.index(name) for name in choices(life.entity) if name in names]
    return any(move.before[place] != move.after[place] for place in closed)


def _in_order(first: str, told: Mapping[Arrow, Told]) -> list[str]:
    """Return the states in reading order: breadth first from the beginning."""
    order = [first]
    for state in order:
        order += sorted({target for source, target in told if source == state} - set(order))
    return order + sorted({state for arrow in told for state in arrow} - set(order))


def _named(life: Lifecycle, state: State | None, field: str) -> str:
    if state is None:
        return "[*]"
    names = [name for name in life.entity.model_fields if name != life.entity.key_field]
    return str(state[names.index(field)])


def _label(told: Told) -> str:
    return "<br/>".join(part for said in sorted(told) for part in (*sorted(told[said]), said.strip()) if part)


def _said(move: Move) -> str:
    said = ", ".join(sorted(one.__name__ for one in move.said))
    return f" / {said}" if said else ""


def _heard(reaction: Reaction) -> str:
    names = [model.__name__ for model in reaction.hears]
    if reaction.style == "deadline" and reaction.within is not None:
        return f"{reaction.name} ({spoken(reaction.within)} after {names[0]})"
    return " and ".join(names)


def _id(state: str) -> str:
    return state if state == "[*]" else "".join(letter if letter.isalnum() else "_" for letter in state)
