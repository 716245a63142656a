"""Crashes: the process may die between any two operations; redelivery gives the undisturbed result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from apps.checkout.billing import billing
from apps.checkout.contracts import OrderCancelled, OrderCreated, StockAdded
from apps.checkout.inventory import inventory
from apps.checkout.order import order
from choreography import Event
from choreography.engine.control import read_control
from choreography.engine.delivery import Delivery
from choreography.engine.operations import Commit, Publish
from choreography.engine.records import MOST_FOLDED
from tests.unit.engine.events import came, nudge, replay, wire
from tests.unit.engine.releases import mended
from tests.unit.engine.replica import Replica, World, die_after, finish
from tests.unit.engine.store import CommitFault
from tests.unit.engine.test_effects import CREATED, LINE, provider_answers
from tests.unit.engine.toy import Asked, Broken, Claimed, Emptied, Left, Moved, Opened, Put, Right, bank, desk

CANCELLED = OrderCancelled(order_id="o1", customer_id="c1", reason="why not", lines=(LINE,))
SECOND = OrderCreated(**dict(CREATED) | {"order_id": "o2"})
EVERYTHING: list[tuple[Event, str]] = [
    (Opened(box="a"), "open"),
    (Put(box="a", amount=5), "put"),
    (Put(box="a", amount=5), "put"),
    (Put(box="a", amount=6), "put"),
    (Moved(box="a", to=("b", "c")), "move"),
    (Moved(box="z", to=("b",)), "silent move"),
    (Broken(box="a"), "bad"),
    (Claimed(box="d", other="e"), "claim"),
    (Asked(box="a"), "ask"),
    (Left(box="a"), "left"),
    (Right(box="a"), "right"),
    (Emptied(box="b"), "empty"),
]


def toys() -> World:
    """Return the desk's world."""
    return World(desk, bank)


def full() -> World:
    """Return the desk's world with a record that has no room for another outcome."""
    world = World(desk, bank)
    finish(Replica(world).delivering([came(Put(box="a", amount=1), f"e{number}") for number in range(MOST_FOLDED)]))
    return world


def quarantined() -> World:
    """Return the world of a mended desk, with an event that an earlier release quarantined."""
    world = World(mended, bank)
    Replica(world, service=desk).deliver(came(Broken(box="a"), "bad"))
    # Its dead letter is out already, and the replay will replace the record that holds it.
    world.broker.published.clear()
    return world


SCENES: dict[str, tuple[Callable[[], World], Sequence[Delivery]]] = {
    "one": (toys, [came(Put(box="a", amount=5), "put")]),
    "everything": (toys, [came(event, event_id) for event, event_id in EVERYTHING]),
    "backwards": (toys, [came(event, event_id) for event, event_id in reversed(EVERYTHING)]),
    "spill": (full, [came(Put(box="a", amount=5), "put"), came(Asked(box="a"), "ask")]),
    "replay": (quarantined, read_control(replay("r1", wire(Broken(box="a"), "bad")), "desk")),
    "billing": (lambda: World(billing, provider_answers), [came(CREATED, "e1"), came(CANCELLED, "e2")]),
    "order": (lambda: World(order), [came(CREATED, "e1", source="order", causationid=None)]),
    "inventory": (
        lambda: World(inventory),
        [came(StockAdded(sku="cup", quantity=1), "e0"), came(CREATED, "e1"), came(SECOND, "e3"), came(CANCELLED, "e2")],
    ),
}


def undisturbed(scene: str) -> tuple[World, int]:
    """Return the world after a run without a crash, and the number of operations of that run."""
    begin, batch = SCENES[scene]
    world = begin()
    count = sum(1 for _ in Replica(world).delivering(batch))
    return world, count


@pytest.mark.parametrize("scene", SCENES)
def test_a_process_that_dies_anywhere_changes_nothing(scene: str) -> None:
    """Every row of the crash table: before the commit, after it, and between any two publishes, jobs and calls."""
    reference, count = undisturbed(scene)
    begin, batch = SCENES[scene]
    for operations in range(count):
        world = begin()
        assert die_after(Replica(world).delivering(batch), operations)
        assert all(Replica(world).deliver(*batch))
        assert world.store.content() == reference.store.content()
        world.assert_released()
        assert set(world.broker.texts()) == set(reference.broker.texts())
        assert world.provider.done == reference.provider.done


@pytest.mark.parametrize("scene", ["everything", "spill", "billing", "inventory"])
def test_a_process_that_dies_twice_changes_nothing(scene: str) -> None:
    """The redelivery may die as well, at every one of its own operations."""
    reference, count = undisturbed(scene)
    begin, batch = SCENES[scene]
    for first in range(count):
        for second in range(0, count, 2):
            world = begin()
            die_after(Replica(world).delivering(batch), first)
            die_after(Replica(world).delivering(batch), second)
            assert all(Replica(world).deliver(*batch))
            assert world.store.content() == reference.store.content()
            world.assert_released()


@pytest.mark.parametrize("fault", ["written, reply lost", "not written", "conflict"])
@pytest.mark.parametrize("scene", SCENES)
def test_a_process_that_dies_after_an_unknown_answer_changes_nothing(scene: str, fault: CommitFault) -> None:
    """During the commit: the outcome, read again, says whether it happened, also to the next process."""
    reference, count = undisturbed(scene)
    begin, batch = SCENES[scene]
    for operations in range(count + 3):
        world = begin()
        world.store.commits.append(fault)
        die_after(Replica(world).delivering(batch), operations)
        world.store.commits.clear()
        assert all(Replica(world).deliver(*batch))
        assert world.store.content() == reference.store.content()
        world.assert_released()


@pytest.mark.parametrize("scene", ["everything", "backwards"])
def test_a_batch_that_is_redelivered_in_parts_leaves_the_same(scene: str) -> None:
    """A broker may redeliver any events one by one, after a crash at any moment."""
    reference, count = undisturbed(scene)
    begin, batch = SCENES[scene]
    for operations in range(count):
        world = begin()
        die_after(Replica(world).delivering(batch), operations)
        for delivery in batch:
            assert Replica(world).deliver(delivery) == [True]
        world.assert_released()
        settled = [{outcome.event_id for outcome in one.store.outcomes()} for one in (world, reference)]
        assert settled[0] == settled[1]


def test_before_the_commit_nothing_has_happened() -> None:
    """The first row of the crash table."""
    world = toys()
    steps = Replica(world).delivering([came(Put(box="a", amount=5), "put")])
    while not isinstance(next(steps), Commit):
        pass
    steps.close()
    assert (world.store.rows, world.broker.texts()) == ({}, [])


def test_between_commit_and_publish_the_redelivery_finds_the_outcome() -> None:
    """The third row: nothing runs again, and the events that the dead process recorded are published."""
    world = toys()
    steps = Replica(world).delivering([came(Put(box="a", amount=5), "put")])
    while not isinstance(next(steps), Publish):
        pass
    steps.close()
    recorded = world.recorded()
    assert Replica(world, now=Replica(world).now.replace(hour=13)).deliver(came(Put(box="a", amount=5), "put")) == [
        True
    ]
    assert set(world.broker.texts()) == recorded
    assert len(world.store.transactions) == 1


@pytest.mark.parametrize("operations", range(12))
def test_a_nudge_that_dies_anywhere_is_harmless(operations: int) -> None:
    """A nudge only repeats recorded events, under envelope ids of its own."""
    world, _ = undisturbed("everything")
    before = world.store.content()
    events = [wire(event, event_id) for event, event_id in EVERYTHING]
    asked = read_control(nudge("n1", *events), "desk")
    die_after(Replica(world).delivering(asked), operations)
    assert all(Replica(world).deliver(*asked))
    assert world.store.content() == before
    assert {one.partition("~")[0] for one in world.broker.ids()} == {
        one for one in world.broker.ids() if "~" not in one
    }
    assert len(world.provider.calls) == 1
