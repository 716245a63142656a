"""Deadlines: the event fixes the due time; a deadline arrives as an event, and twice is harmless."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from tests.unit.engine.events import ago, came, fired, raw, state_of, wire
from tests.unit.engine.replica import NOON, Replica, World
from tests.unit.engine.toy import Box, Opened, Put, Reminded, desk

OPENED = came(Opened(box="a"), "e1", time=ago(timedelta(minutes=3)))


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=5), timedelta(days=20)])
def test_a_deadline_is_due_after_the_events_own_time(late: timedelta) -> None:
    """Rule 20: it does not matter how late, or how often, the event is settled."""
    world = World(desk)
    Replica(world, now=NOON + late).deliver(OPENED)
    Replica(world, now=NOON + late + timedelta(hours=1)).deliver(OPENED)
    assert {due.at for due in world.scheduler.deadlines} == {NOON + timedelta(minutes=7)}
    assert len(set(world.scheduler.deadlines)) == 1


def test_a_publisher_whose_clock_is_ahead_gives_nobody_more_time() -> None:
    """Rule 32: it counts from the moment of settling, and a repeat finds the same due time."""
    world = World(desk)
    early = came(Opened(box="a"), "e1", time=ago(timedelta(hours=-3)))
    Replica(world).deliver(early)
    Replica(world, now=NOON + timedelta(hours=1)).deliver(early)
    assert {due.at for due in world.scheduler.deadlines} == {NOON + timedelta(minutes=10)}


def test_what_arrives_carries_its_due_time_and_a_derived_id() -> None:
    """Rule 20: the same on every replica, so a second job is harmless."""
    world, elsewhere = World(desk), World(desk)
    Replica(world).deliver(OPENED)
    Replica(elsewhere, now=NOON + timedelta(hours=1)).deliver(OPENED)
    [due], [twin] = world.scheduler.deadlines, elsewhere.scheduler.deadlines
    attributes = orjson.loads(due.encoded)
    assert (attributes["time"], attributes["causationid"]) == ("2026-01-01T12:07:00.000Z", "e1")
    assert attributes["id"] == orjson.loads(twin.encoded)["id"] == "ad690e5cf89ec5cacf3c9279d3753a26"


def test_a_deadline_that_fires_twice_does_its_work_once() -> None:
    """Rule 20: the second finds the outcome of the first."""
    world = World(desk)
    Replica(world).deliver(OPENED)
    due = fired(world.scheduler.deadlines[0].encoded)
    for minutes in (7, 8):
        assert Replica(world, now=NOON + timedelta(minutes=minutes)).deliver(due) == [True]
    said = [text for text in world.broker.texts() if Reminded.wire_type in text]
    assert len(said) == 2
    assert len(set(said)) == 1
    world.assert_released()


def test_a_deadline_says_nothing_if_all_went_well() -> None:
    """The reaction looks at the state and finds it moot."""
    world = World(desk)
    Replica(world).deliver(OPENED, came(Put(box="a", amount=1), "e2"))
    Replica(world, now=NOON + timedelta(minutes=7)).deliver(fired(world.scheduler.deadlines[0].encoded))
    assert not [text for text in world.broker.texts() if Reminded.wire_type in text]
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


def test_an_event_is_not_done_until_its_deadline_is_scheduled() -> None:
    """Rule 20: the answer is RETRY, although everything is committed and published."""
    world = World(desk)
    world.scheduler.refusals = 1
    assert Replica(world).deliver(OPENED, came(Put(box="a", amount=1), "e2")) == [False, True]
    assert Replica(world).deliver(OPENED) == [True]
    world.assert_released()


def test_a_deadline_may_fire_long_after_the_horizon() -> None:
    """Rule 4: it never was on a broker, so it cannot be an old repeat, unlike a broker's delivery."""
    world = World(desk)
    Replica(world).deliver(OPENED)
    Replica(world, now=NOON + timedelta(days=90)).deliver(fired(world.scheduler.deadlines[0].encoded))
    assert [text for text in world.broker.texts() if Reminded.wire_type in text]


def test_the_outcome_of_a_deadline_keeps_the_event_itself() -> None:
    """A deadline never was on a broker, but an auditor needs it."""
    world = World(desk)
    Replica(world).deliver(OPENED)
    [due] = world.scheduler.deadlines
    Replica(world).deliver(fired(due.encoded))
    assert [one.heard for one in world.store.outcomes()] == ["", due.encoded]


def test_an_event_that_only_a_set_aside_reaction_heard_has_no_deadline() -> None:
    """The reaction did not run, so no deadline is due."""
    world = World(desk)
    Replica(world).deliver(raw(wire(Opened(box="a"), "e1") | {"data": {"box": 7}}))
    assert world.scheduler.deadlines == []
