"""Replays: a quarantined event runs under its record's ETag, and publishes under its first ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from choreography.engine.answering import Answering
from choreography.engine.control import read_control
from choreography.engine.delivery import read_delivery, shortened
from choreography.engine.records import Outcome
from tests.unit.engine.events import ago, came, raw, record_of, replay, state_of, wire
from tests.unit.engine.releases import mended, newer
from tests.unit.engine.replica import NOON, Replica, World, finish, interleaved, said
from tests.unit.engine.store import hidden
from tests.unit.engine.toy import Asked, Box, Broken, Put, bank, desk

PAGE = Path(__file__).parents[3] / "docs/dead-letters.md"
BROKEN = wire(Broken(box="a"), "bad")
PUT = wire(Put(box="a", amount=1), "bad")


@pytest.fixture
def world() -> World:
    """A world in which the broken event is quarantined."""
    world = World(desk)
    Replica(world).deliver(raw(BROKEN))
    return world


def spoil(world: World, old: str, new: str) -> None:
    """Corrupt a text in the record of the only box."""
    [key] = world.store.entities()
    world.store.rows[key] = world.store.rows[key]._replace(value=world.store.rows[key].value.replace(old, new))


def resolved(world: World) -> Outcome:
    """Return the outcome of the event that was bad."""
    outcome = world.store.outcome("bad")
    assert outcome is not None
    return outcome


def test_the_request_on_the_page_about_dead_letters_replays(world: World) -> None:
    """The test fills in the service and the id of a letter, as the page says."""
    example = re.search(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert example
    request = example[1].replace("billing", "desk").replace("the event_id of the letter", "bad")
    assert Replica(world, service=mended).control(read_delivery(request.encode())) == [True]
    assert resolved(world).quarantined is None


def test_a_replay_runs_the_event_under_the_etag_of_its_record(world: World) -> None:
    """Rule 16: the record is replaced, and then expires like any other outcome."""
    [(key, before)] = [(key, row) for key, row in world.store.rows.items() if key in world.store.apart()]
    assert Replica(world, service=mended).control(replay("r1", BROKEN)) == [True]
    assert {str(write.key): write.etag for write in world.store.transactions[-1]}[key] == before.etag
    assert resolved(world).quarantined is None
    assert world.store.ttls[key] == 32 * 24 * 3600
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


def test_a_replay_says_what_the_first_delivery_would_have_said(world: World) -> None:
    """Rule 16: the outgoing ids are the same, so an earlier consumer finds a repeat."""
    Replica(world, service=mended).control(replay("r1", BROKEN))
    elsewhere = World(mended)
    Replica(elsewhere).deliver(raw(BROKEN))
    assert world.broker.ids()[1:] == elsewhere.broker.ids()


@pytest.mark.parametrize("together", [False, True])
def test_an_event_is_replayed_once_however_often_somebody_asks(world: World, together: bool) -> None:
    """Rule 16: the second request finds a resolved record, in the store or in its own batch."""
    replica = Replica(world, service=mended)
    asked = [read_control(replay(f"r{number}", BROKEN), "desk")[0] for number in range(3)]
    for batch in [[raw(BROKEN), *asked]] if together else [[one] for one in asked]:
        assert all(replica.deliver(*batch))
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


@pytest.mark.parametrize("seed", range(32))
def test_two_replicas_that_replay_at_once_run_it_once(world: World, seed: int) -> None:
    """Rule 16: the ETag of the record decides."""
    asked = read_control(replay("r1", BROKEN), "desk")
    turns: Iterator[bool] = (bool(seed >> bit & 1) for bit in range(5))
    first, second = (Replica(world, service=mended).delivering(asked) for _ in range(2))
    assert interleaved(first, second, turns) == ([True], [True])
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


def test_a_replay_that_fails_again_says_so_under_a_new_id_each_time(world: World) -> None:
    """One dead-letter id must not have two contents."""
    for number in range(3):
        Replica(world, now=NOON + timedelta(minutes=number)).control(replay(f"r{number}", BROKEN))
    assert len(set(world.broker.ids())) == len(world.broker.ids()) == 4
    assert [said(text)["attempts"] for text in world.broker.texts()] == [3, 6, 9, 12]


def test_a_replay_does_not_trust_a_bulk_get_that_hides_the_record(world: World) -> None:
    """Rule 5: the quarantine record is looked for by a single get."""
    world.store.reads.append(hidden)
    Replica(world, service=mended).control(replay("r1", BROKEN))
    assert len([one for one in world.store.outcomes() if one.event_id == "bad"]) == 1
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


def test_an_event_older_than_the_horizon_may_be_replayed_from_its_record(world: World) -> None:
    """Rule 16: the record proves that it was never run, and it does not expire."""
    late = Replica(world, now=NOON + timedelta(days=100), service=mended)
    late.control(replay("r1", BROKEN))
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


def test_an_old_event_without_a_record_is_not_replayed() -> None:
    """Rule 4: it may have run so long ago that its outcome has expired; then it would run twice."""
    world = World(desk)
    Replica(world).deliver(raw(BROKEN))
    Replica(world, service=mended).control(replay("r1", BROKEN))
    world.store.expire()
    Replica(world, now=NOON + timedelta(days=40), service=mended).control(replay("r2", BROKEN))
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


def test_a_replay_of_an_event_that_has_no_record_runs_nothing_and_says_so() -> None:
    """Rule 28: the right to ask for a replay is no right to publish any event."""
    world = World(mended)
    assert Replica(world).control(replay("r1", BROKEN)) == [True]
    assert state_of(world, Box, "a") is None
    [text] = world.broker.texts()
    assert "keeps no quarantine record" in said(text)["reason"]


def test_a_replay_that_comes_twice_says_once_that_there_is_no_record() -> None:
    """Rule 28: each request gets one letter, however often the broker delivers it."""
    world = World(mended)
    for _ in range(2):
        Replica(world).control(replay("r1", BROKEN))
    Replica(world).control(replay("r2", BROKEN))
    assert len(set(world.broker.texts())) == 2


def test_a_replay_of_an_event_that_was_run_does_not_run_it_again() -> None:
    """Rule 28: there is nothing to take out of quarantine."""
    world = World(mended)
    Replica(world).deliver(raw(BROKEN))
    Replica(world).control(replay("r1", BROKEN))
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


def test_a_replay_runs_what_the_record_holds_and_not_what_the_request_says(world: World) -> None:
    """Rule 28: the request names a record, and everything else in it is ignored."""
    richer = BROKEN | {"data": {"box": "thief"}, "subject": "thief"}
    Replica(world, service=mended).control(replay("r1", richer))
    assert state_of(world, Box, "thief") is None
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


def test_a_replay_may_name_a_record_alone(world: World) -> None:
    """Rule 28: this is the name in its dead letter."""
    control = replay("r1", BROKEN)
    assert control.envelope is not None
    control.envelope.data["events"] = [said(world.broker.texts()[0])["event_id"]]
    assert Replica(world, service=mended).control(control) == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


def test_a_replay_of_something_unreadable_says_what_its_record_holds() -> None:
    """Rule 28: it still cannot run; a record that keeps only the beginning says so."""
    world = World(desk)
    cut = shortened(read_delivery(b'{"id": "' + b"x" * 10_000))
    Replica(world).deliver(cut)
    control = replay("r1", {"id": said(world.broker.texts()[0])["event_id"]})
    assert Replica(world).control(control) == [True]
    assert "Only its beginning was kept" in said(world.broker.texts()[-1])["reason"]


def test_a_replay_waits_for_a_store_that_does_not_say_whether_there_is_a_record(world: World) -> None:
    """Rule 5: no answer proves neither that a record exists nor that it is missing."""
    world.store.confirms.append(True)
    asked = replay("r1", BROKEN)
    assert Replica(world, service=mended).control(asked) == [False]
    assert Replica(world, service=mended).control(asked) == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


def test_a_replay_does_not_make_a_forged_answer_true() -> None:
    """Rules 18 and 28: its record holds the route by which it came, and that route is still wrong."""
    world = World(desk, bank)
    Replica(world).deliver(
        raw(wire(Put(box="a", amount=1), "e1", type="prize.was-paid.v1", data={"box": "a", "receipt": "made up"}))
    )
    control = replay("r1", {"id": said(world.broker.texts()[0])["event_id"]})
    assert Replica(world).control(control) == [True]
    assert state_of(world, Box, "a") is None


def test_an_answer_that_a_reaction_failed_on_is_replayed_from_its_record() -> None:
    """Rule 28: the record says that the answer never was on a broker."""
    world = World(desk, bank)
    asked = came(Asked(box="a"), "e1")
    Replica(world).settle(asked)
    spoil(world, '"coins":0', '"coins":"none"')
    Replica(world).deliver(asked)
    spoil(world, '"coins":"none"', '"coins":0')
    aside = [one for one in world.store.outcomes() if one.quarantined]
    assert [one.quarantined.inside for one in aside if one.quarantined] == [True]
    assert Replica(world).control(replay("r1", {"id": aside[0].event_id})) == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=1000, paid=True)


def test_a_replay_of_a_quarantined_intent_does_no_harm() -> None:
    """Rule 19: a person must look whether the outside did it; nothing is called."""
    world = World(desk, bank)
    Replica(world).settle(came(Asked(box="a"), "e1"))
    [committed] = [committed for one in world.store.outcomes() for committed in one.intents]
    answering = Answering(desk)
    Replica(world).deliver(answering.for_a_person(committed, "too old", NOON))
    before = state_of(world, Box, "a")
    assert Replica(world).control(replay("r1", {"id": committed.answer_id})) == [True]
    assert (world.provider.calls, state_of(world, Box, "a")) == ([], before)


def test_an_unknown_version_waits_for_the_release_that_knows_it() -> None:
    """Rule 16: the event waits as *not yet*, and the replay resolves the older release's record."""
    world = World(desk)
    event = wire(Put(box="a", amount=1), "bad", type="coins.put.v2")
    Replica(world).deliver(raw(event))
    assert "Not yet" in said(world.broker.texts()[0])["reason"]
    Replica(world, service=newer).control(replay("r1", event))
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    assert resolved(world).quarantined is None
    late = Replica(world, now=NOON + timedelta(days=50), service=newer)
    late.deliver(came(Put(box="a", amount=1), "e9", type="coins.put.v2", time=ago(timedelta(0), late.now)))
    late.control(replay("r2", event))
    assert state_of(world, Box, "a") == Box(box="a", coins=2)


def test_a_poison_event_of_an_unknown_version_does_not_hold_up_its_topic() -> None:
    """The release that knows it fails on it, finds the old release's record, and does not overwrite it for ever."""
    world = World(desk)
    event = wire(Broken(box="a"), "bad", type="box.broken.v2")
    Replica(world).deliver(raw(event))
    assert Replica(world, service=newer).deliver(raw(event)) == [True]
    assert record_of(world, Box, "a") is None
    assert "Not yet" in said(resolved(world).events[0].encoded)["reason"]


def test_a_replay_dies_and_comes_again() -> None:
    """It dies between commit and publish; the redelivered request finds the record and publishes from it."""
    world = World(desk)
    Replica(world).deliver(raw(BROKEN))
    asked = read_control(replay("r1", BROKEN), "desk")
    finish(Replica(world, service=mended).settling(asked))
    assert Replica(world, service=mended).deliver(*asked) == [True]
    assert said(world.broker.texts()[-1]) == {"box": "a", "total": 10}
    assert state_of(world, Box, "a") == Box(box="a", coins=10)


def test_a_conflict_is_never_replayed_as_the_event_whose_id_it_took() -> None:
    """Rule 1: only a person can tell which of the two is true."""
    world = World(mended)
    Replica(world).deliver(raw(PUT), raw(wire(Put(box="a", amount=50), "bad")))
    Replica(world).control(replay("r1", wire(Put(box="a", amount=50), "bad")))
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
