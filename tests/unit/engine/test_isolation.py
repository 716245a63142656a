"""A failing reaction: only its own entry is undone, and its wrong output is never committed."""

from __future__ import annotations

import pytest

from choreography.engine.envelope import LARGEST_EVENT
from tests.unit.engine.events import came, record_of, state_of
from tests.unit.engine.replica import Replica, World, said
from tests.unit.engine.switches import Attempts
from tests.unit.engine.toy import Asked, Box, Broken, Labelled, Opened, Put, Shouted, Tag, Torn, bank, desk

PUT = Put(box="a", amount=1)


def test_only_the_failing_entry_is_undone() -> None:
    """Its neighbours in the batch, on the same box, are committed with its quarantine record in one transaction."""
    world = World(desk)
    assert Replica(world).deliver(came(PUT, "e1"), came(Broken(box="a"), "bad"), came(PUT, "e2")) == [True] * 3
    assert len(world.store.transactions) == 1
    assert state_of(world, Box, "a") == Box(box="a", coins=2)
    assert [one.event_id for one in world.store.outcomes() if one.quarantined] == ["bad"]


def test_what_a_failing_reaction_did_to_a_nested_value_cannot_leak() -> None:
    """Rule 9: every reaction, and every attempt, gets a fresh decode."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e0"))
    Replica(world).deliver(came(Broken(box="a"), "bad"), came(PUT, "e1"))
    assert state_of(world, Box, "a") == Box(box="a", coins=2, tag=Tag(text="clean"))


def test_what_a_failing_reaction_did_to_a_default_cannot_leak() -> None:
    """Rule 9: the reaction gets a blank box for a missing one, and no two blanks share parts."""
    world = World(desk)
    Replica(world).deliver(came(Broken(box="a"), "bad"), came(PUT, "e1"), came(Opened(box="b"), "e2"))
    assert state_of(world, Box, "a") == Box(box="a", coins=1, tag=Tag(text="clean"))
    assert Box(box="c").tag == Tag(text="clean")


def test_the_attempts_happen_inside_one_delivery() -> None:
    """Rule 15: a bad event is answered SUCCESS, since RETRY would hold up its topic."""
    world = World(desk)
    Attempts.made = 0
    assert Replica(world).deliver(came(Broken(box="a"), "bad")) == [True]
    assert Attempts.made == world.limits.reaction_attempts


def test_a_conflict_or_an_outage_is_no_attempt_of_the_reaction() -> None:
    """Rule 15: only errors of the reaction count, however often the store made it run again."""
    world = World(desk)
    world.store.commits.extend(["conflict", "not written", "conflict"])
    Replica(world).deliver(came(Broken(box="a"), "bad"))
    [told] = map(said, world.broker.texts())
    assert told["attempts"] == world.limits.reaction_attempts


def test_a_quarantined_event_leaves_a_record_and_a_dead_letter() -> None:
    """Both keep the reason, the attempts, the stack, and the event itself."""
    world = World(desk)
    delivery = came(Broken(box="a"), "bad")
    Replica(world).deliver(delivery)
    [outcome] = world.store.apart().values()
    assert outcome.quarantined is not None
    assert outcome.quarantined.event == delivery.raw
    [letter] = world.broker.published
    assert letter.topic == "desk-dead-letters"
    told = said(letter.encoded)
    assert told["reason"] == "ValueError: broken"
    assert "in leak" in told["stack"]
    assert (told["event"], told["whole"], told["event_type"]) == (delivery.raw, True, "box.broken.v1")


def test_a_quarantined_event_that_comes_again_is_a_repeat() -> None:
    """Its outcome is the quarantine; the same dead letter is published, and nothing runs."""
    world = World(desk)
    Replica(world).deliver(came(Broken(box="a"), "bad"))
    Attempts.made = 0
    Replica(world).deliver(came(Broken(box="a"), "bad"))
    assert Attempts.made == 0
    assert len(set(world.broker.texts())) == 1


def test_a_failure_guards_the_box_it_saw() -> None:
    """The transaction marks the box: from then on its record does not prove that an outcome is absent."""
    world = World(desk)
    Replica(world).deliver(came(Broken(box="a"), "bad"))
    record = record_of(world, Box, "a")
    assert record is not None
    assert record.apart


def test_an_event_that_breaks_its_contract_is_set_aside_without_a_run() -> None:
    """The reason names the field."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "bad", data={"box": "a", "amount": "many"}))
    assert "'amount'" in said(world.broker.texts()[0])["reason"]


def test_an_event_that_says_too_much_is_refused_before_the_commit() -> None:
    """Rule 12: once committed, it could never be published."""
    world = World(desk)
    assert Replica(world).deliver(came(Shouted(box="a", letters=LARGEST_EVENT), "bad"), came(PUT, "e1")) == [True] * 2
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    assert str(LARGEST_EVENT) in said(world.broker.texts()[0])["reason"]


def test_an_integer_that_sidecars_would_change_is_refused_before_the_commit() -> None:
    """Rule 12: beyond 2^53 another number would arrive."""
    world = World(desk)
    safe, unsafe = Shouted(box="a", letters=1, number=2**53 - 1), Shouted(box="a", letters=1, number=2**53)
    Replica(world).deliver(came(safe, "e1"), came(unsafe, "bad"))
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    shouted = [event for event in world.broker.published if event.topic == "desk.shouting"]
    assert [said(event.encoded)["number"] for event in shouted] == [2**53 - 1]


@pytest.mark.parametrize("subject", ["", "x" * 300, "a\x00b"])
def test_an_event_about_a_subject_that_consumers_refuse_is_refused_before_the_commit(subject: str) -> None:
    """Rule 12: every consumer would quarantine it."""
    world = World(desk)
    Replica(world).deliver(came(Put(box=subject, amount=1), "bad", subject="a"))
    assert state_of(world, Box, subject) is None
    assert "Every consumer would refuse" in said(world.broker.texts()[0])["reason"]


def test_a_state_that_cannot_be_written_is_the_reactions_failure() -> None:
    """Rule 12: it must not end the transaction of its neighbours, nor the process."""
    world = World(desk)
    surrogate = came(Labelled(box="a", code=0xD800), "bad")
    assert Replica(world).deliver(surrogate, came(Put(box="b", amount=1), "e1")) == [True, True]
    assert "cannot be stored" in said(world.broker.texts()[0])["reason"]
    assert state_of(world, Box, "b") == Box(box="b", coins=1)


def test_a_request_too_large_to_show_a_person_is_refused_before_the_commit() -> None:
    """Rule 12: an intent that cannot be carried out must still fit into a dead letter."""
    world = World(desk, bank)
    box = "\U0001f980" * 10_000
    Replica(world).deliver(came(Asked(box=box), "bad", subject="a"))
    assert world.provider.calls == []
    assert [bool(one.quarantined) for one in world.store.outcomes()] == [True]


def test_a_silent_failure_of_a_pair_is_recorded_apart() -> None:
    """A reaction that names two boxes and fails leaves both of them as they were."""
    world = World(desk)
    Replica(world).deliver(came(Torn(box="a", other="b"), "bad"), came(Opened(box="b"), "e1"))
    assert record_of(world, Box, "a") is None
    assert [one.event_id for one in world.store.apart().values()] == ["bad"]
