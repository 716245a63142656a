"""An event is decoded by its contract once, however many reactions and attempts it has."""

# ruff: noqa: ARG001 - a parameter says what a reaction hears, also when its type is all there is to know

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import Field, field_validator

from choreography import Deadline, Decision, Entity, Event, Id, NewId, Request, Service, Value, nothing
from choreography.engine.accepting import Accepting
from choreography.engine.commanding import Commanding
from choreography.engine.delivery import Delivery
from tests.unit.engine.events import came
from tests.unit.engine.replica import NOON, Replica, World

decoded: Counter[str] = Counter()
"""How often a contract has validated its first field, by the name of the contract."""
failures: list[Exception] = []
"""The exceptions that the reaction raises next."""
seen: list[tuple[str, str]] = []
"""The event that each reaction got before it changed its copy, which is forbidden."""


class StreetEvent(Event, subject="thing"):
    """What is heard."""

    thing: Id

    @field_validator("thing")
    @classmethod
    def count(cls, thing: str) -> str:
        """Count."""
        decoded[cls.__name__] += 1
        return thing


class Part(Value):
    """A nested part of an event."""

    colour: str = "red"


class Came(StreetEvent, type="thing.came.v1", owner="street"):
    """A thing came."""

    parts: tuple[Part, ...] = (Part(), Part())
    labels: dict[str, Part] = Field(default_factory=dict)


class Left(StreetEvent, type="thing.left.v1", owner="street"):
    """A thing left."""


class Asked(StreetEvent, type="thing.asked.v1"):
    """Somebody asked for a thing."""


class Thing(Entity, key="thing"):
    """A thing."""

    thing: Id
    times: int = 0


class Ask(Request):
    """Ask for a thing."""


desk = Service("counting", publishes=[Asked])


@desk.command("POST /things")
def ask(body: Ask, thing: NewId) -> Asked:
    """Ask for a new thing."""
    return Asked(thing=thing)


desk.view("/things/{thing}", Thing)


@desk.on(Asked)
def begin(thing: Thing, asked: Asked) -> Decision:
    """Begin with it."""
    return thing


@desk.on(Came)
def first(thing: Thing, came: Came) -> Decision:
    """Do to the event what must not be done to it, and fail if that is asked for."""
    seen.append((came.thing, came.parts[1].colour))
    object.__setattr__(came, "thing", "another")
    object.__setattr__(came.parts[1], "colour", "black")
    came.parts[0].__dict__["colour"] = "black"
    for label in came.labels.values():
        object.__setattr__(label, "colour", "black")
    if failures:
        raise failures.pop()
    return thing.but(times=thing.times + 1)


@desk.on(Came, name="second")
def second(thing: Thing, came: Came) -> Decision:
    """See what the first one left."""
    seen.append((came.thing, came.parts[1].colour))
    assert {part.colour for part in (*came.parts, *came.labels.values())} == {"red"}
    return nothing


@desk.deadline(after=Came, within=timedelta(hours=1))
def remind(thing: Thing, deadline: Deadline) -> Decision:
    """Say nothing."""
    return nothing


@desk.when_all(Came, Left)
def both(thing: Thing, came: Came, left: Left) -> Decision:
    """Note both."""
    assert came.parts[0].colour == "red"
    return thing.but(times=thing.times + 10)


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    failures.clear()
    seen.clear()
    yield
    decoded.clear()


def delivery(said: Any, event_id: str = "e1") -> Delivery:
    """Return an event as it comes, and forget what making it has cost."""
    made = came(said, event_id)
    decoded.clear()
    return made


CAME = Came(thing="a", labels={"front": Part()})


def test_an_event_of_several_reactions_a_join_and_a_deadline_is_decoded_once() -> None:
    """No reaction sees what another one did to its copy, at any depth."""
    world = World(desk)
    assert Replica(world).deliver(delivery(CAME)) == [True]
    assert decoded == {"Came": 1}
    assert seen == [("a", "red"), ("a", "red")]
    assert not [one for one in world.store.outcomes() if one.quarantined]
    assert len(world.scheduler.deadlines) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_a_reaction_that_is_tried_again_gets_another_copy(times: int) -> None:
    """Rule 9: changes of a failed attempt cannot leak into the next one."""
    failures.extend([ValueError("not yet")] * times)
    world = World(desk)
    Replica(world).deliver(delivery(CAME))
    assert decoded == {"Came": 1}
    assert seen == [("a", "red")] * (times + 2)
    assert not [one for one in world.store.outcomes() if one.quarantined]


def test_a_transaction_that_is_tried_again_decodes_nothing_again() -> None:
    """The event stays the same, whatever the store answers."""
    world = World(desk)
    world.store.commits.extend(["conflict", "not written", "conflict"])
    assert Replica(world).deliver(delivery(CAME)) == [True]
    assert decoded == {"Came": 1}


def test_a_repeat_is_decoded_once_more() -> None:
    """It is another delivery, perhaps at another replica."""
    world, again = World(desk), delivery(CAME)
    for _ in range(3):
        Replica(world).deliver(again)
    assert decoded == {"Came": 3}


def test_a_join_reads_from_its_slots_only_what_came_before() -> None:
    """The event that completes the join is already decoded."""
    world = World(desk)
    Replica(world).deliver(delivery(CAME))
    Replica(world).deliver(delivery(Left(thing="a"), "e2"))
    assert decoded == {"Left": 1, "Came": 1}


def test_what_a_command_has_made_is_not_decoded_to_be_recorded() -> None:
    """The decoded event exists already; only its text is published."""
    commanding, world = Commanding(desk), World(desk)
    event = commanding.event(desk.commands[0], "e1", {"body": Ask()})
    accepted = commanding.accept(event, "e1", NOON, "")
    decoded.clear()
    [verdict] = Replica(world).drive(Accepting(desk, world.limits).accept([accepted], NOON))
    assert verdict.accepted
    assert verdict.publish == accepted.outgoing
    assert decoded == {}
