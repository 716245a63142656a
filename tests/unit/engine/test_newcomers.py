"""A record that an event most likely begins is not read first; only the write proves its absence."""

from __future__ import annotations

import pytest

from choreography.engine.delivery import Delivery
from choreography.engine.identity import Key
from choreography.engine.memory import Newcomers
from choreography.engine.operations import Read
from tests.unit.engine.events import came, nudge, state_of, wire
from tests.unit.engine.replica import Replica, World
from tests.unit.engine.toy import Box, Claimed, Moved, Put, Torn, desk

ALWAYS = 0


def put(box: str, amount: int = 1) -> Put:
    """Return an event that begins a box, or adds to it."""
    return Put(box=box, amount=amount)


def box_key(box: str) -> Key:
    """Return the key of a box's record."""
    return Key("desk", "box", box)


def read_by(replica: Replica, *deliveries: Delivery) -> list[Key]:
    """Deliver, and return the keys that were read in bulk meanwhile."""
    return [key for one in replica.delivering(deliveries) if isinstance(one, Read) for key in one.keys]


def test_after_enough_beginnings_in_a_row_the_next_is_not_read() -> None:
    """Fewer would be a guess, and a wrong guess costs a whole attempt."""
    replica = Replica(World(desk), newcomers=Newcomers(3))
    read = [read_by(replica, came(put(box), box)) for box in "abcd"]
    assert read == [[box_key("a")], [box_key("b")], [box_key("c")], []]


def test_a_record_that_was_there_ends_the_row() -> None:
    """It ends also if other events of the batch did begin their records."""
    replica = Replica(World(desk), newcomers=Newcomers(2))
    for number, box in enumerate("aba"):
        replica.deliver(came(put(box), f"{box}{number}"))
    assert read_by(replica, came(put("c"), "c")) == [box_key("c")]


def test_a_record_that_nobody_read_is_never_overwritten() -> None:
    """Rule 5: only the write proves its absence, and the next attempt reads it."""
    world = World(desk)
    Replica(world).deliver(came(put("a", 5), "e1"))
    replica = Replica(world, newcomers=Newcomers(ALWAYS))
    read = read_by(replica, came(put("a", 2), "e2"), came(put("b"), "e3"))
    assert sorted(read) == sorted([box_key("a"), box_key("b")])
    assert [(box.coins if box else None) for box in (state_of(world, Box, one) for one in "ab")] == [7, 1]
    world.assert_released()


def test_a_repeat_of_an_event_that_began_a_record_is_found() -> None:
    """Rule 3: a redelivery is the usual case of a wrong expectation."""
    world = World(desk)
    Replica(world).deliver(came(put("a"), "e1"))
    assert Replica(world, newcomers=Newcomers(ALWAYS)).deliver(came(put("a"), "e1")) == [True]
    assert len(world.store.outcomes()) == 1
    assert len(world.broker.ids()) == 2


def test_one_wrong_expectation_ends_the_row_of_all_that_were_in_it() -> None:
    """The store does not say which expectation was wrong."""
    world = World(desk)
    Replica(world).deliver(came(put("a"), "e0"))
    replica = Replica(world, newcomers=Newcomers(2))
    for box in "bc":
        replica.deliver(came(put(box), box))
    read_by(replica, came(put("a"), "e1"))
    assert read_by(replica, came(put("d"), "d")) == [box_key("d")]


def test_what_another_event_of_the_batch_does_not_expect_is_read() -> None:
    """Only a record that every event of the batch expects to begin is left unread."""
    replica = Replica(World(desk), newcomers=Newcomers(1))
    replica.deliver(came(put("a"), "e1"))
    read = read_by(replica, came(put("b"), "e2"), came(Torn(box="b", other="c"), "e3"))
    assert {box_key("b"), box_key("c")} <= set(read)


@pytest.mark.parametrize("event", [Claimed(box="b", other="a"), Moved(box="b", to=("a",)), Torn(box="a", other="b")])
def test_a_decision_that_rests_on_an_unread_record_and_writes_nothing_is_confirmed(
    event: Claimed | Moved | Torn,
) -> None:
    """Rule 6: a reaction on two boxes without output has no write that proves one of them missing."""
    calm, hasty = World(desk), World(desk)
    for world in (calm, hasty):
        Replica(world).deliver(came(put("a", 1), "e1"), came(put("b", 3), "e2"))
    Replica(calm).deliver(came(event, "e3"))
    Replica(hasty, newcomers=Newcomers(ALWAYS)).deliver(came(event, "e3"))
    assert [state_of(hasty, Box, box) for box in "ab"] == [state_of(calm, Box, box) for box in "ab"]
    assert set(hasty.broker.ids()) == set(calm.broker.ids())
    assert {one.event_id: one.quarantined is None for one in hasty.store.outcomes()} == {
        one.event_id: one.quarantined is None for one in calm.store.outcomes()
    }


def test_a_nudge_reads_what_it_asks_for() -> None:
    """Rule 14: it looks for an outcome, so it expects a record."""
    world = World(desk)
    Replica(world).deliver(came(put("a"), "e1"))
    replica = Replica(world, newcomers=Newcomers(ALWAYS))
    assert replica.control(nudge("n1", wire(put("a"), "e1"))) == [True]
    assert [len(one) for one in world.store.tried] == [1]
    assert world.broker.ids()[-1].endswith("~n1")
