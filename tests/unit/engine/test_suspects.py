"""Suspects: an event that kills the process is found and quarantined, and its neighbours run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from choreography.engine.control import read_control
from choreography.engine.operations import Commit, Confirm, Read
from tests.unit.engine.events import came, nudge, raw, replay, state_of, wire
from tests.unit.engine.replica import Replica, World, said
from tests.unit.engine.switches import Curse, Lightning
from tests.unit.engine.toy import Box, Cursed, Put, desk

CURSED = Cursed(box="a")
PUT = Put(box="a", amount=1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which the cursed event kills the process that runs it."""
    monkeypatch.setattr(Curse, "lasts", True)
    return World(desk)


def live(world: World, *events: object, name: str = "one") -> list[bool] | None:
    """Start a replica and deliver a batch; return None if the process died."""
    replica = Replica(world, name=name)
    assert replica.begin()
    batch = [came(CURSED if event == "cursed" else PUT, str(event)) for event in events]
    try:
        done = replica.deliver(*batch)
    except Lightning:
        return None
    replica.end()
    return done


def test_an_event_that_kills_the_process_is_found_and_its_neighbours_are_run(world: World) -> None:
    """Rule 15: it kills unmarked, then in a batch, then alone; then it is quarantined without running."""
    lives = [live(world, "e1", "cursed", "e2") for _ in range(4)]
    assert lives == [None, None, None, [True, True, True]]
    assert state_of(world, Box, "a") == Box(box="a", coins=2)
    [letter] = [said(one.encoded) for one in world.broker.published if one.topic == "desk-dead-letters"]
    assert "died 2 times" in letter["reason"]


def test_neighbours_of_a_suspect_are_run_in_the_first_life_that_knows_it(world: World) -> None:
    """Rule 15: the suspects of a batch run after its other events."""
    for _ in range(2):
        live(world, "cursed")
    assert live(world, "cursed", "e1") is None
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


def test_a_tidy_replica_pays_for_no_marks(world: World) -> None:
    """Rule 15: only a replica that died in the middle of something is on probation."""
    live(world, "e1")
    replica = Replica(world)
    replica.begin()
    written = len(world.store.transactions)
    replica.deliver(came(PUT, "e2"))
    assert len(world.store.transactions) == written + 1


def test_the_mark_is_durable_before_anything_is_run(world: World) -> None:
    """Rule 15: without a mark, a death would show nothing, so the event is answered RETRY."""
    live(world, "cursed")
    replica = Replica(world)
    replica.begin()
    world.store.commits.extend(["not written"] * world.limits.attempts)
    assert replica.deliver(came(CURSED, "cursed")) == [False]


def test_each_suspect_is_run_under_a_time_limit(world: World) -> None:
    """Rule 15: an event that exceeds the limit is quarantined at once."""
    entered: list[float] = []

    @contextmanager
    def guard(seconds: float) -> Iterator[None]:
        entered.append(seconds)
        raise TimeoutError("too long")
        yield

    for _ in range(2):
        live(world, "cursed", "e1")
    replica = Replica(world, guard=guard)
    replica.begin()
    assert replica.deliver(came(CURSED, "cursed"), came(Put(box="b", amount=1), "other")) == [True, True]
    assert entered == [world.limits.alone_seconds]
    assert "too long" in said(world.broker.texts()[0])["reason"]


def test_an_innocent_event_that_was_there_when_the_process_died_is_acquitted(world: World) -> None:
    """Rule 15: the process survives its run alone, so it is no longer a suspect."""
    for _ in range(2):
        live(world, "cursed", "e1")
    Curse.lasts = False
    assert live(world, "cursed", "e1") == [True, True]
    for _ in range(3):
        live(world, "e1")
    assert state_of(world, Box, "a") == Box(box="a", coins=101)
    assert not [one for one in world.store.outcomes() if one.quarantined]


def test_an_event_that_survived_alone_shares_transactions_again(world: World) -> None:
    """Rule 15: suspicion ends with the first run that the process survives."""
    for _ in range(2):
        live(world, "cursed", "e1")
    replica = Replica(world)
    replica.begin()
    replica.deliver(came(PUT, "e1"))
    steps = list(replica.settling([came(PUT, "e2"), came(Put(box="a", amount=7), "e1")]))
    assert [type(step) for step in steps] == [Commit, Read, Confirm, Commit]


def test_nudges_accuse_nobody(world: World) -> None:
    """Rule 15: a nudge runs nothing, so a process that dies while it looks one up has not died of that event."""
    live(world, "cursed")
    for _ in range(3):
        replica = Replica(world)
        replica.begin()
        replica.deliver(*read_control(nudge("n1", wire(PUT, "e1")), "desk"))
    assert live(world, "e1") == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


def test_nudges_acquit_nobody(world: World) -> None:
    """Rule 15: surviving a look-up says nothing about a run."""
    for _ in range(2):
        live(world, "cursed")
    replica = Replica(world)
    replica.begin()
    replica.deliver(*read_control(nudge("n1", wire(CURSED, "cursed")), "desk"))
    with pytest.raises(Lightning):
        replica.deliver(came(CURSED, "cursed"))
    assert live(world, "cursed") == [True]


def test_a_store_that_does_not_answer_keeps_a_replica_from_beginning(world: World) -> None:
    """Rule 15: a replica must know how its previous process ended before it runs anything."""
    world.store.confirms.append(True)
    assert not Replica(world).begin()


def test_replicas_do_not_accuse_each_other(world: World) -> None:
    """Rule 15: each reads only the mark of its own previous process."""
    assert live(world, "cursed", name="one") is None
    other = Replica(world, name="two")
    other.begin()
    assert not other.settler.suspects.on_probation


def test_a_suspect_set_aside_unrun_can_be_replayed(world: World) -> None:
    """Rule 16: once a release has lifted the curse."""
    for _ in range(4):
        live(world, "cursed")
    Curse.lasts = False
    assert Replica(world).control(replay("r1", wire(CURSED, "cursed"))) == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=100)
    assert Replica(world).deliver(raw(wire(CURSED, "cursed"))) == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=100)


def test_an_acquittal_ends_the_probation(world: World) -> None:
    """Rule 15: the event that killed the last process would have been redelivered by now."""
    live(world, "cursed")
    replica = Replica(world)
    replica.begin()
    assert replica.settler.suspects.on_probation
    replica.acquit()
    assert not replica.settler.suspects.on_probation
