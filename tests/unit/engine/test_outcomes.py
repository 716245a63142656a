"""Outcomes are folded into the one record that an event names, or kept apart; both places are searched."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from choreography.engine.operations import Commit, Confirm, Read
from choreography.engine.records import LARGEST_FOLDED, MOST_FOLDED
from tests.unit.engine.events import ago, came, record_of, state_of
from tests.unit.engine.replica import NOON, Replica, World, finish, said
from tests.unit.engine.toy import Box, Emptied, Moved, Put, Shouted, Torn, desk

PUT = Put(box="a", amount=1)
LIFE: Final = timedelta(days=32)


def test_an_event_that_names_one_entity_costs_one_read_and_one_write() -> None:
    """Its outcome is inside the record, so both are read and written together."""
    world = World(desk)
    steps = list(Replica(world).settling([came(PUT, "e1")]))
    assert [type(step) for step in steps] == [Read, Commit]
    assert list(world.store.rows) == [str(write.key) for write in world.store.transactions[0]]
    assert len(world.store.rows) == 1


def test_a_full_record_spills_what_is_still_young_and_both_places_are_looked_in() -> None:
    """No outcome younger than the horizon is removed, however many there are."""
    world = World(desk)
    ids = [f"e{number}" for number in range(MOST_FOLDED + 8)]
    for event_id in ids:
        Replica(world).deliver(came(PUT, event_id))
    record = record_of(world, Box, "a")
    assert record is not None
    assert (len(record.folded), record.apart, len(world.store.apart())) == (MOST_FOLDED, True, 8)
    for event_id in ids:
        Replica(world).deliver(came(PUT, event_id))
    assert state_of(world, Box, "a") == Box(box="a", coins=len(ids))
    world.assert_released()


def test_a_record_that_grew_large_spills_too() -> None:
    """The bound is on bytes as well as on count."""
    world = World(desk)
    for number in range(4):
        Replica(world).deliver(came(Shouted(box="a", letters=LARGEST_FOLDED // 3), f"e{number}"))
    record = record_of(world, Box, "a")
    assert record is not None
    assert len(record.encode()) < LARGEST_FOLDED + 1000
    assert len(world.store.apart()) == 2


def test_only_outcomes_beyond_any_delivery_that_may_run_make_room() -> None:
    """At the end of its life an outcome is still there; a moment later the next event replaces it."""
    world = World(desk)
    Replica(world).deliver(*(came(PUT, f"e{number}") for number in range(MOST_FOLDED)))
    for age, folded in ((LIFE, MOST_FOLDED), (LIFE + timedelta(milliseconds=1), 1)):
        now = NOON + age
        Replica(world, now=now).deliver(came(PUT, f"at {age}", time=ago(timedelta(0), now)))
        record = record_of(world, Box, "a")
        assert record is not None
        assert len(record.folded) == folded


def test_an_evicted_outcome_cannot_be_missed_because_its_event_is_too_old_to_run() -> None:
    """Rule 4: the horizon refuses events whose outcomes were removed."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    now = NOON + LIFE + timedelta(seconds=1)
    Replica(world, now=now).deliver(came(PUT, "e2", time=ago(timedelta(0), now)))
    Replica(world, now=now).deliver(came(PUT, "e1"))
    assert state_of(world, Box, "a") == Box(box="a", coins=2)
    assert said(world.broker.texts()[-1])["reason"].startswith("Too old")


def test_a_record_with_outcomes_apart_is_asked_by_a_single_get() -> None:
    """Rule 5: a bulk get could not prove that the second place is empty."""
    world = World(desk)
    Replica(world).deliver(*(came(PUT, f"e{number}") for number in range(MOST_FOLDED + 1)))
    steps = list(Replica(world).settling([came(PUT, "new")]))
    assert [type(step) for step in steps] == [Read, Confirm, Commit]


def test_a_deleted_entity_leaves_a_tombstone_for_as_long_as_an_old_delivery_may_come() -> None:
    """Rule 10: the tombstone holds the outcomes, so a late repeat does not bring the box back."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    Replica(world).deliver(came(Emptied(box="a"), "e2"))
    Replica(world).deliver(came(PUT, "e1"), came(Emptied(box="a"), "e2"))
    record = record_of(world, Box, "a")
    assert record is not None
    assert (record.gone, record.state, len(record.folded)) == (True, None, 2)
    assert list(world.store.ttls.values()) == [LIFE.total_seconds()]
    world.assert_released()


def test_an_entity_that_is_written_again_after_its_deletion_stays() -> None:
    """Rule 10: the time to live ends with the tombstone."""
    world = World(desk)
    for number, event in enumerate((PUT, Emptied(box="a"), PUT)):
        Replica(world).deliver(came(event, f"e{number}"))
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    assert list(world.store.ttls.values()) == [None]


def test_a_quarantined_event_that_outlived_its_entity_is_still_found() -> None:
    """Its tombstone has expired, but the quarantine record has not, so the redelivery is acknowledged."""
    world = World(desk)
    bad = came(Shouted(box="a", letters=70_000), "bad")
    Replica(world).deliver(bad)
    Replica(world).deliver(came(Emptied(box="a"), "e2"))
    world.store.expire()
    late = Replica(world, now=NOON + timedelta(days=40))
    assert late.deliver(bad) == [True]
    assert len(set(world.broker.ids())) == 2


def test_outcomes_say_which_version_of_each_entity_they_wrote() -> None:
    """The versions let an auditor replay a store in its own order."""
    world = World(desk)
    Replica(world).deliver(came(Put(box="a", amount=5), "e1"), came(Moved(box="a", to=("b",)), "e2"))
    Replica(world).deliver(came(PUT, "e3"))
    written = {one.event_id: [(w.logical_id, w.version) for w in one.written] for one in world.store.outcomes()}
    assert written == {"e1": [("a", 1)], "e2": [("a", 2), ("b", 1)], "e3": [("a", 3)]}


def test_nothing_but_the_record_grows_with_the_number_of_old_events() -> None:
    """A box used once a month for ten years holds two outcomes, and nothing is kept apart."""
    world = World(desk)
    for month in range(120):
        now = NOON + month * timedelta(days=30)
        Replica(world, now=now).deliver(came(PUT, f"e{month}", time=ago(timedelta(0), now)))
    record = record_of(world, Box, "a")
    assert record is not None
    assert len(record.folded) == 2
    assert world.store.apart() == {}


@pytest.mark.parametrize("moved", [False, True])
def test_an_event_that_names_several_entities_is_recorded_apart(moved: bool) -> None:
    """It is a first-write with a time to live; the boxes that it writes refer to it."""
    world = World(desk)
    Replica(world).deliver(*([came(Put(box="a", amount=5), "e0")] if moved else ()))
    Replica(world).deliver(came(Moved(box="a", to=("b",)), "e1"))
    [key] = world.store.apart()
    assert world.store.ttls[key] == LIFE.total_seconds()
    assert [record.apart for record in world.store.entities().values()] == [True, True] * moved


@pytest.mark.parametrize("other", ["a", "b"])
def test_what_one_replica_sets_aside_another_cannot_have_done(other: str) -> None:
    """Rule 7: also where the record already says that outcomes are kept apart, and would stay unchanged."""
    world = World(desk)
    torn = Torn(box="a", other=other)
    Replica(world).deliver(came(torn, "e0"))
    slow, quick = Replica(world), Replica(world, name="two")
    steps = slow.delivering([came(torn, "e1")])
    while not isinstance(next(steps), Commit):
        pass
    Replica(world).deliver(came(PUT, "p1"))
    quick.settle(came(torn, "e1"))
    assert finish(steps) == [True]
    assert [bool(one.quarantined) for one in world.store.outcomes() if one.event_id == "e1"] == [False]
