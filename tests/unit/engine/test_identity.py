"""Identity: input is hostile, a repeat is recognised, and the same id with other content is no repeat."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choreography.engine.delivery import read_delivery
from choreography.engine.fate import Fate
from choreography.engine.identity import Key
from choreography.engine.records import MOST_FOLDED
from tests.unit.engine.events import ago, came, nudge, raw, record_of, replay, state_of, wire
from tests.unit.engine.replica import NOON, Replica, World, said
from tests.unit.engine.toy import Box, Claimed, Left, Opened, Put, desk

PUT = Put(box="a", amount=1)


def test_a_repeat_changes_nothing_and_publishes_the_same_bytes() -> None:
    """Rule 13: the outcome is found, and its events are published again."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    before = world.store.content()
    Replica(world).deliver(came(PUT, "e1"))
    assert world.store.content() == before
    assert len(world.broker.texts()) == 2
    assert len(set(world.broker.texts())) == 1


def test_the_same_id_with_other_words_is_set_aside_as_a_conflict() -> None:
    """Rule 1: it is never taken for a repeat, and never run."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    other = came(Put(box="a", amount=50), "e1")
    assert Replica(world).deliver(other) == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    assert "said something else" in said(world.broker.texts()[-1])["reason"]
    assert len(world.store.apart()) == 1


@pytest.mark.parametrize("attribute", ["type", "source", "subject", "data"])
def test_each_part_of_what_an_event_says_is_part_of_its_digest(attribute: str) -> None:
    """Rule 1: these are type, source, subject and data; another time or trace is still the same event."""
    change = {"type": "box.opened.v1", "source": "elsewhere", "subject": "b", "data": {"box": "b", "amount": 1}}
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    [kept] = world.store.outcomes()
    changed = came(PUT, "e1", **{attribute: change[attribute]})
    retold = came(PUT, "e1", time=ago(timedelta(hours=1)), traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    assert changed.envelope is not None
    assert retold.envelope is not None
    assert changed.envelope.digest != kept.digest == retold.envelope.digest


def test_the_same_id_about_another_box_is_another_fact_with_ids_of_its_own() -> None:
    """Rule 1 and decision 0006: both run once, and share no id and no key of anything they cause."""
    world = World(desk)
    for _ in range(2):
        Replica(world).deliver(came(PUT, "e1"))
        Replica(world).deliver(came(Put(box="b", amount=1), "e1"))
    assert state_of(world, Box, "b") is not None
    said = [outgoing.encoded for outcome in world.store.outcomes() for outgoing in outcome.events]
    ids = [orjson.loads(text)["id"] for text in said]
    assert len(ids) >= 2
    assert len(set(ids)) == len(ids)


def test_a_conflict_that_comes_twice_is_told_once() -> None:
    """Rule 1: the record of the conflict is found again under id and digest."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    for _ in range(2):
        Replica(world).deliver(came(Put(box="a", amount=50), "e1"))
    assert len(world.store.apart()) == 1
    assert len(set(world.broker.ids())) == 2


def test_a_conflict_beside_a_repeat_does_not_take_its_place() -> None:
    """Rule 1: the true event, committed but unpublished, is published although a false one came first."""
    world = World(desk)
    Replica(world).settle(came(PUT, "e1"))
    assert Replica(world).deliver(came(Put(box="a", amount=50), "e1"), came(PUT, "e1")) == [True, True]
    world.assert_released()
    assert len(world.store.outcomes()) == 2


@pytest.mark.parametrize("apart", [False, True])
def test_the_same_id_twice_in_one_batch_is_run_once(apart: bool) -> None:
    """Rule 1: the second sees the first one's outcome before the commit, wherever it will be stored."""
    world = World(desk)
    event = came(Claimed(box="a", other="b") if apart else PUT, "e1")
    assert Replica(world).deliver(event, event) == [True, True]
    record = record_of(world, Box, "a")
    assert record is not None
    assert record.version == 1
    assert len(world.broker.texts()) == 1


def test_the_same_id_with_other_words_in_one_batch_is_a_conflict() -> None:
    """Rule 1: the first to come is the event; one transaction holds it and the record of the other."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"), came(Put(box="a", amount=7), "e1"))
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    assert len(world.store.transactions) == 1
    assert [bool(one.quarantined) for one in world.store.outcomes()] == [False, True]


def test_outgoing_ids_are_frozen() -> None:
    """Rule 1: they derive from cause, service, reaction, type and position; a change would repeat all effects."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"), came(Put(box="a", amount=2), "e2"))
    assert world.broker.ids() == ["48eea33e2b099ab986e09e6a232ab404", "5dd165dbe7ba91801fe88607cc8d7ab9"]


def test_every_attribute_is_set_in_what_is_published() -> None:
    """Rule 2: a sidecar fills in, or overwrites, missing attributes."""
    world = World(desk)
    trace = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    Replica(world).deliver(came(PUT, "e1", traceparent=trace))
    [text] = world.broker.texts()
    envelope = read_delivery(text.encode()).envelope
    assert envelope is not None
    assert envelope.traceparent == trace
    assert f'"traceid":"{trace}"' in text
    assert (envelope.time, envelope.flow_id, envelope.causation_id) == (Replica(world).now, "flow-1", "e1")


HOSTILE: list[Any] = ["a\x00b", "", "x" * 10_000, 7, None, "a\ufffdb", "a\x1fb", "a\x85b", ["a"], {"a": 1}, 1.5, True]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_event_with_a_hostile_id_is_kept_under_its_bytes(hostile: Any) -> None:
    """Rule 3: it is quarantined with a letter, its neighbours run, and it cannot corrupt a key."""
    world = World(desk)
    bad = raw(wire(PUT, "e1") | {"id": hostile})
    assert Replica(world).deliver(bad, came(PUT, "e2")) == [True, True]
    [outcome] = world.store.apart().values()
    assert outcome.event_id.startswith("sha256:")
    assert outcome.quarantined is not None
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    assert said(world.broker.texts()[0])["service"] == "desk"


@pytest.mark.parametrize("attribute", ["type", "source", "subject", "flowid", "eventid"])
@pytest.mark.parametrize("hostile", ["a\x00b", "", "x" * 10_000, 7])
def test_any_other_hostile_attribute_is_set_aside_too(attribute: str, hostile: Any) -> None:
    """Rule 3: our own events would carry these attributes on."""
    world = World(desk)
    assert Replica(world).deliver(raw(wire(PUT, "e1") | {attribute: hostile})) == [True]
    [outcome] = world.store.outcomes()
    assert outcome.quarantined is not None


@pytest.mark.parametrize("surrogate", [b"\\ud800", b"\\udfff", b"\xed\xa0\x80", b"\xff"])
def test_a_surrogate_in_an_event_is_set_aside(surrogate: bytes) -> None:
    """Rule 3: two ids that differ only in a surrogate would become one key."""
    world = World(desk)
    text = b'{"specversion":"1.0","id":"e' + surrogate + b'"}'
    assert Replica(world).deliver(read_delivery(text)) == [True]
    [outcome] = world.store.apart().values()
    assert outcome.quarantined is not None


@given(st.text(min_size=1), st.text(min_size=1))
def test_keys_are_short_and_plain_whatever_the_ids_are(first: str, second: str) -> None:
    """Rule 3: `||`, NUL or length cannot reach a store, and two ids never share a key."""
    one, other = Key("desk", "box", first), Key("desk", "box", second)
    assert str(one).isascii()
    assert len(str(one)) < 100
    assert "||" not in str(one)
    assert (str(one) == str(other)) == (one == other) == (first == second)


def test_logical_ids_full_of_bars_name_two_boxes() -> None:
    """Rule 3: `||` separates the parts of a key inside a sidecar."""
    world = World(desk)
    Replica(world).deliver(came(Put(box="a||b", amount=1), "e||1"), came(Put(box="a||c", amount=2), "e||2"))
    assert [record.state["coins"] for record in world.store.entities().values() if record.state] == [1, 2]
    assert not any("||" in write.key for writes in world.store.transactions for write in writes)


def test_a_readable_event_runs_although_its_id_once_came_with_something_unreadable() -> None:
    """Rule 3: the record of unreadable bytes is named by id and bytes, so it blocks no other event."""
    world = World(desk)
    claimed = Claimed(box="a", other="b")
    Replica(world).deliver(raw(wire(claimed, "e1") | {"data": "no object"}))
    Replica(world).deliver(came(claimed, "e1"))
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


@pytest.mark.parametrize("text", [b"", b"[1]", b"null", b"{}", b"\x00" * 30_000, b"\xff" * 70_000, b'"x"'])
def test_bytes_that_are_no_event_are_set_aside_and_told(text: bytes) -> None:
    """Rule 3: also if the letter must be cut, since each NUL takes six bytes in JSON."""
    world = World(desk)
    assert Replica(world).deliver(read_delivery(text)) == [True]
    world.assert_released()
    assert len(world.broker.texts()) == 1


@pytest.mark.parametrize("depth", [150, 200, 250, 300, 1000])
def test_data_nested_too_deeply_is_set_aside(depth: int) -> None:
    """Rule 3: it can be read, but not written again for its digest or for the slot of a join."""
    world = World(desk)
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    text = orjson.dumps(wire(Left(box="a"), "e1")).replace(b'"data":{', b'"data":{"deep":' + deep + b",")
    assert Replica(world).deliver(read_delivery(text), came(PUT, "e2")) == [True, True]
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    assert any(one.quarantined for one in world.store.outcomes()) == (depth > 150)


def test_an_event_older_than_the_horizon_is_set_aside_unrun() -> None:
    """Rule 4: its outcome may have expired, so the service cannot tell whether it ran."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1", time=ago(timedelta(days=31))))
    assert state_of(world, Box, "a") is None
    assert said(world.broker.texts()[0])["reason"].startswith("Too old")


def test_an_event_older_than_the_horizon_whose_outcome_is_known_is_a_repeat() -> None:
    """Rule 4: only an event without an outcome is too old."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    later = Replica(world, now=Replica(world).now + timedelta(days=31))
    later.deliver(came(PUT, "e1"))
    assert len(set(world.broker.texts())) == 1


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(hours=23), timedelta(days=1)])
def test_an_event_from_the_near_future_is_run_at_once(ahead: timedelta) -> None:
    """Rule 32: a clock that is ahead says nothing about the event; its outcome outlives it all the same."""
    world = World(desk)
    early = came(PUT, "e1", time=ago(-ahead))
    Replica(world).deliver(early)
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    last = NOON + timedelta(seconds=30 * 24 * 3600) + ahead
    assert Replica(world, now=last).deliver(early) == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


def test_an_event_from_beyond_the_allowed_skew_is_set_aside_and_names_the_clock() -> None:
    """Rule 4: its outcome would expire before the event is too old to run again."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1", time=ago(-timedelta(days=1, minutes=1))))
    assert state_of(world, Box, "a") is None
    reason = said(world.broker.texts()[0])["reason"]
    assert "The clock of 'street' is wrong, or that of desk" in reason
    assert "1 day, 0:01:00 ahead" in reason


def test_an_event_that_was_too_far_ahead_is_replayed_when_its_time_has_come() -> None:
    """Rule 32: its record keeps it until then."""
    world = World(desk)
    early = wire(PUT, "e1", time=ago(-timedelta(days=3)))
    Replica(world).deliver(raw(early))
    Replica(world, now=NOON + timedelta(days=2)).control(replay("r1", early))
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


def test_years_of_old_events_get_one_letter() -> None:
    """Rule 4: a first subscription gets them all; the others are acknowledged and counted."""
    world = World(desk)
    replica = Replica(world)
    ends = [replica.settle(came(PUT, f"old-{n}", time=ago(timedelta(days=40))))[0].fate for n in range(50)]
    assert Counter(ends) == {Fate.QUARANTINED: 1, Fate.TOO_OLD: 49}
    assert len(world.store.outcomes()) == 1


def test_the_event_that_gets_the_letter_gets_it_although_its_first_commit_failed() -> None:
    """Rule 4: the memory of a replica does not prove that the letter was published."""
    world = World(desk)
    world.store.commits.append("conflict")
    old = [came(PUT, f"old-{n}", time=ago(timedelta(days=40))) for n in range(3)]
    assert Replica(world).deliver(*old) == [True] * 3
    assert len(world.broker.texts()) == 1


def test_an_hour_later_old_events_get_another_letter() -> None:
    """Rule 4: a person may have forgotten the first letter."""
    world = World(desk)
    replica = Replica(world)
    replica.deliver(came(PUT, "old-1", time=ago(timedelta(days=40))))
    replica.now += timedelta(hours=1)
    replica.deliver(came(PUT, "old-2", time=ago(timedelta(days=40))))
    assert len(world.broker.texts()) == 2


@pytest.mark.parametrize("time", [None, "yesterday", 5, "2026-01-01T11:00:00", "x" * 100_000])
def test_an_event_without_a_time_is_set_aside(time: Any) -> None:
    """Rule 4: the service cannot tell whether it is too old."""
    world = World(desk)
    assert Replica(world).deliver(came(PUT, "e1", time=time)) == [True]
    assert state_of(world, Box, "a") is None
    assert len(world.broker.texts()) == 1


def test_outcomes_live_for_the_horizon_and_twice_the_skew() -> None:
    """Rule 4: only outcomes of quarantined events stay until a person resolves them."""
    world = World(desk)
    puts = [came(Put(box="a", amount=1), f"e{number}") for number in range(MOST_FOLDED + 1)]
    Replica(world).deliver(*puts, came(Opened(box="b"), "bad", data={"box": 7}))
    apart = {outcome.event_id: world.store.ttls[key] for key, outcome in world.store.apart().items()}
    assert apart == {f"e{MOST_FOLDED}": 32 * 24 * 3600, "bad": None}


def test_a_nudge_of_an_event_that_never_came_runs_nothing() -> None:
    """Rule 14: a nudge looks up and repeats; it is no delivery."""
    world = World(desk)
    Replica(world).control(nudge("n1", wire(PUT, "e1")))
    assert (record_of(world, Box, "a"), world.broker.texts()) == (None, [])
