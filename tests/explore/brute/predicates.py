"""Properties drawn from a seed, about each flow, about all, about another flow, or about one by its id."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from choreography.explore import World
from choreography.explore.model import Model
from choreography.explore.properties import Mode, Property
from tests.explore.brute.flows import DESK, EVENTS, OUTSIDE, STATUSES, Left, LeftDesk, Right, RightDesk

Atom = Callable[[World, str], bool]
MODES: tuple[Mode, ...] = ("always", "never", "eventually", "sometimes")


def predicates(seed: int, number: int, model: Model) -> tuple[Property, ...]:
    """Return so many properties of a flow."""
    chance = random.Random(seed)
    desks = [one for service in model.services for one in service.entities if one in (LeftDesk, RightDesk)]
    desks.sort(key=lambda one: one.__name__)
    return tuple(_property(chance, f"p{one}", desks) for one in range(number))


def _property(chance: random.Random, name: str, desks: list[Any]) -> Property:
    each = chance.random() < 0.5
    holds = _combined(chance, desks, each=each)
    mode = chance.choice(MODES)
    if each:
        return Property(mode, name, holds, each=True, text=name)
    return Property(mode, name, lambda world: holds(world, ""), each=False, text=name)


def _combined(chance: random.Random, desks: list[Any], *, each: bool) -> Atom:
    atoms = [_negated(chance, _atom(chance, desks, each=each)) for _ in range(chance.choice((1, 2, 2, 3)))]
    if chance.random() < 0.5:
        return lambda world, flow: all(atom(world, flow) for atom in atoms)
    return lambda world, flow: any(atom(world, flow) for atom in atoms)


def _negated(chance: random.Random, atom: Atom) -> Atom:
    return atom if chance.random() < 0.6 else lambda world, flow: not atom(world, flow)


def _atom(chance: random.Random, desks: list[Any], *, each: bool) -> Atom:
    kind: type[Any] = chance.choice((Left, Right))
    event: Any = chance.choice(EVENTS)
    status, number = chance.choice(STATUSES), chance.choice((1, 1, 2))
    about_flow: list[Atom] = [
        lambda world, flow: world.state_of(kind, flow).status == status,
        lambda world, flow: world.state_of(kind, flow).count >= number,
        lambda world, flow: len(world.said(event, flow)) >= number,
        lambda world, flow: len(world.calls(OUTSIDE, flow)) >= number,
        lambda world, flow: world.find(kind, flow) is None,
        lambda world, flow: any(world.state_of(kind, one).status == status for one in world.flows if one != flow),
        lambda world, flow: flow == world.flows[-1] and world.state_of(kind, flow).status == status,
    ]
    about_all: list[Atom] = [
        lambda world, _: len(world.said(event)) >= number,
        lambda world, _: sum(one.status == status for one in world.every(kind)) >= number,
        lambda world, _: world.state_of(kind, world.flows[-1]).status == status,
        lambda world, _: any(world.state_of(kind, one).status == status for one in world.flows),
        lambda world, _: len({world.state_of(kind, one).status for one in world.flows}) > 1,
        lambda world, _: bool(world.said(event, world.flows[0])) and not world.said(event, world.flows[-1]),
        lambda world, _: any(one.flow == world.flows[-1] for one in world.said(event)),
        lambda world, _: [one.flow for one in world.every(kind) if one.status == status] == list(world.flows),
        lambda world, _: len(world.calls(OUTSIDE)) >= number,
        lambda world, _: bool(world.quarantined),
    ]
    if desks:
        desk = chance.choice(desks)
        about_all += [
            lambda world, _: world.state_of(desk, DESK).count >= number,
            lambda world, _: world.state_of(desk, DESK).first == world.flows[0],
        ]
    return chance.choice(about_flow if each and chance.random() < 0.75 else about_all)
