"""An unreadable record quarantines only the events that name it, and is never overwritten."""

from __future__ import annotations

import pytest

from choreography.engine.identity import Key, outcome_key
from choreography.engine.operations import Stored
from tests.unit.engine.events import came, replay, state_of, wire
from tests.unit.engine.replica import Replica, World, said
from tests.unit.engine.toy import Box, Moved, Put, desk

PUT = Put(box="a", amount=1)
SPOILT = ["not a record", "[]", "{}", '{"v": 1}', "null", "7"]
SHAPES = [
    '{"v":1,"s":{},"o":{"x":7}}',
    '{"v":"1","s":{}}',
    '{"v":1,"s":[]}',
    '{"v":1,"s":{},"j":[]}',
    '{"v":1,"s":{},"o":7}',
]
BOX = str(Key("desk", Box.kind, "a"))


def spoil(world: World, key: str, text: str) -> Stored:
    """Replace the record under a key by garbage; return the old one."""
    before = world.store.rows.get(key, Stored("", "etag"))
    world.store.rows[key] = Stored(text, before.etag)
    return before


@pytest.mark.parametrize("text", [*SPOILT, *SHAPES])
def test_an_event_that_names_a_spoilt_record_is_set_aside_and_its_neighbours_are_run(text: str) -> None:
    """Rule 29: another read would fail the same way; the record stays as it is, so that a person can mend it."""
    world = World(desk)
    spoil(world, BOX, text)
    assert Replica(world).deliver(came(PUT, "e1"), came(Put(box="b", amount=2), "e2")) == [True, True]
    assert world.store.rows[BOX].value == text
    assert [row.value for key, row in world.store.rows.items() if key == str(Key("desk", Box.kind, "b"))]
    reason = said(world.broker.texts()[0])["reason"]
    assert BOX in reason
    assert "Mend or remove the record" in reason


def test_an_event_of_a_spoilt_record_is_said_once_and_replayed_when_the_record_is_mended() -> None:
    """Rule 29: the mended record shows that it was settled, so it is a repeat; a new event runs."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "old"))
    whole = spoil(world, BOX, "not a record")
    for _ in range(2):
        Replica(world).deliver(came(PUT, "old"), came(PUT, "new"))
    assert len({said(text)["event_id"] for text in world.broker.texts()[1:]}) == 2
    spoil(world, BOX, whole.value)
    Replica(world).control(replay("r1", wire(PUT, "old"), wire(PUT, "new")))
    assert state_of(world, Box, "a") == Box(box="a", coins=2)


@pytest.mark.parametrize("text", SPOILT)
def test_an_event_whose_own_outcome_is_spoilt_is_set_aside_under_another_name(text: str) -> None:
    """Rule 29: whether it ran is unknown, so it does not run, and the outcome is not overwritten."""
    world = World(desk)
    key = str(outcome_key("desk", "e1"))
    spoil(world, key, text)
    for _ in range(2):
        assert Replica(world).deliver(came(Moved(box="a", to=("b", "c")), "e1")) == [True]
    assert world.store.rows[key].value == text
    assert [said(one)["event_id"] for one in dict.fromkeys(world.broker.texts())] == ["e1~unreadable"]


def test_a_spoilt_outcome_inside_a_record_sets_its_own_event_aside_only() -> None:
    """Rule 29: other events of the same entity go on."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    record = world.store.rows[BOX].value
    spoil(world, BOX, record.replace('["e1",', '["e1",7,').replace('"2026-01-01T12:00:00.000Z",[["desk"', '[["desk"'))
    assert Replica(world).deliver(came(PUT, "e1"), came(PUT, "e2")) == [True, True]
    assert state_of(world, Box, "a") == Box(box="a", coins=2)
    assert [one.event_id for one in world.store.apart().values() if one.quarantined] == ["e1"]


@pytest.mark.parametrize("text", ["not a mark", "[]", "{}"])
def test_a_replica_whose_own_mark_is_spoilt_begins_on_probation(text: str) -> None:
    """Rule 15: it cannot know how its previous process ended."""
    world = World(desk)
    spoil(world, str(Key("desk", "replica", "one")), text)
    replica = Replica(world)
    assert replica.begin()
    assert replica.settler.suspects.on_probation
