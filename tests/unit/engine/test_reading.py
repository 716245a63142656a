"""Reading and writing: absence needs proof, named entities are guarded, and a re-read decides."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest

from choreography.engine.delivery import Delivery, Overlong, shortened, too_large, unreadable
from choreography.engine.operations import Commit, Limits, Pause, Read, Write
from tests.unit.engine.events import came, raw, record_of, state_of, wire
from tests.unit.engine.replica import Replica, World, finish, said
from tests.unit.engine.store import CommitFault, ReadFault, failed, hidden
from tests.unit.engine.toy import Box, Claimed, Moved, Put, Shouted, Torn, desk

PUT = Put(box="a", amount=1)
MOVED = Moved(box="a", to=("b", "c"))


def hide(*kinds: str) -> ReadFault:
    """Hide records of these kinds from a bulk get."""
    return lambda key: "hidden" if key.split(".")[1] in kinds else "shown"


@pytest.mark.parametrize("kinds", [("box",), ("outcome",), ("box", "outcome")])
@pytest.mark.parametrize("event", [PUT, MOVED])
def test_a_bulk_get_that_shows_nothing_is_never_believed(event: Put | Moved, kinds: tuple[str, ...]) -> None:
    """Rule 5: PostgreSQL answers a cancelled query with every key missing; no event runs again for that."""
    world = World(desk)
    Replica(world).deliver(came(Put(box="a", amount=5), "e0"), came(event, "e1"))
    before = world.store.content()
    world.store.reads.append(hide(*kinds))
    assert Replica(world).deliver(came(event, "e1")) == [True]
    assert world.store.content() == before
    world.assert_released()


def test_an_event_whose_record_stays_hidden_is_handed_back() -> None:
    """Rule 5: the answer is RETRY, with neither a second effect nor a quarantine."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    world.store.reads.extend([hidden] * world.limits.attempts)
    replica = Replica(world)
    assert replica.deliver(came(PUT, "e1")) == [False]
    assert replica.pauses == list(range(1, world.limits.attempts + 1))
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


def test_a_reaction_does_not_stay_silent_because_a_box_was_hidden() -> None:
    """Rule 5: it writes none of its entities, so a single get confirms the missing ones."""
    world = World(desk)
    Replica(world).deliver(came(Put(box="a", amount=5), "e0"))
    world.store.reads.append(hide("box"))
    Replica(world).deliver(came(MOVED, "e1"))
    assert state_of(world, Box, "b") == Box(box="b", coins=1)


def test_an_event_is_not_set_aside_because_a_box_was_hidden() -> None:
    """Rule 5: if a reaction fails on a missing box, a single get confirms that the box is missing."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e0"))
    world.store.reads.append(hide("box"))
    Replica(world).deliver(came(Torn(box="a", other="b"), "e1"))
    assert [one.quarantined for one in world.store.outcomes()] == [None, None]


def test_a_confirming_get_without_an_answer_decides_nothing() -> None:
    """Rule 5: the attempt is made again."""
    world = World(desk)
    Replica(world).deliver(came(Put(box="a", amount=5), "e0"))
    world.store.reads.append(hide("box"))
    world.store.confirms.append(True)
    Replica(world).deliver(came(MOVED, "e1"))
    assert state_of(world, Box, "b") == Box(box="b", coins=1)


def test_one_key_with_an_error_is_a_failed_read() -> None:
    """Rule 5: the key may well exist."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    world.store.reads.append(failed)
    replica = Replica(world)
    assert replica.deliver(came(PUT, "e1"), came(PUT, "e2")) == [True, True]
    assert replica.pauses == [1]
    assert len(world.store.tried) == 2
    assert state_of(world, Box, "a") == Box(box="a", coins=2)


def test_a_named_entity_is_in_the_transaction_changed_or_not() -> None:
    """Rule 6: an unchanged value is written under its ETag, and a missing one is held first-write."""
    world = World(desk)
    Replica(world).deliver(came(Claimed(box="a", other="b"), "e1"))
    [writes] = world.store.transactions
    assert {write.key.kind for write in writes} == {"box", "outcome"}
    assert [write.etag for write in writes] == [None, None, None]
    assert state_of(world, Box, "b") is None
    assert record_of(world, Box, "b") is not None


def test_a_reaction_that_changed_and_said_nothing_holds_up_nobody() -> None:
    """Rule 6: only then may its entities be left out of the transaction."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e0"))
    Replica(world).deliver(came(MOVED, "e1"))
    assert [write.key.kind for write in world.store.transactions[-1]] == ["outcome"]


def test_many_events_are_committed_in_one_transaction() -> None:
    """Group commit: one read and one write serve all of them, and each sees the result of the one before."""
    world = World(desk)
    steps = list(Replica(world).settling([came(Put(box=f"b{n % 7}", amount=1), f"e{n}") for n in range(100)]))
    assert [type(step) for step in steps] == [Read, Commit]
    assert state_of(world, Box, "b0") == Box(box="b0", coins=15)


@pytest.mark.parametrize("fault", ["written, reply lost", "not written", "conflict"])
def test_after_an_unknown_answer_each_event_is_decided_by_what_the_store_holds(fault: CommitFault) -> None:
    """Rule 7: this is decided for each event; a written one is a repeat, an unwritten one runs."""
    world = World(desk)
    Replica(world).deliver(came(PUT, "e1"))
    world.store.commits.append(fault)
    assert Replica(world).deliver(*(came(PUT, f"e{number}") for number in (1, 2, 3))) == [True] * 3
    assert state_of(world, Box, "a") == Box(box="a", coins=3)
    world.assert_released()


def test_what_another_replica_committed_meanwhile_is_published_not_what_this_one_decided() -> None:
    """Rule 7: the two decided at different moments, so their bytes differ; only recorded bytes are published."""
    world = World(desk)
    slow, quick = Replica(world), Replica(world, now=Replica(world).now.replace(minute=1))
    steps = slow.delivering([came(PUT, "e1"), came(PUT, "e2")])
    assert [type(next(steps)) for _ in range(2)] == [Read, Commit]
    quick.settle(came(PUT, "e2"))
    finish(steps)
    world.assert_released()
    assert state_of(world, Box, "a") == Box(box="a", coins=2)


def test_nothing_is_published_while_the_answer_is_unknown() -> None:
    """Rule 7: a batch whose commits are never confirmed is answered RETRY, and publishes nothing."""
    world = World(desk)
    world.store.commits.extend(["not written"] * 100)
    assert Replica(world).deliver(came(PUT, "e1"), came(PUT, "e2")) == [False, False]
    assert world.broker.texts() == []


def test_a_refused_batch_is_split_at_once_and_only_the_culprit_is_set_aside() -> None:
    """Rule 8: without back-off; trying the same again would be refused again."""
    world = World(desk)

    def dislikes(writes: Sequence[Write]) -> bool:
        return any('"coins":7' in (write.value or "") for write in writes)

    world.store.refuses = dislikes
    replica = Replica(world)
    batch = [came(Put(box=f"b{number}", amount=number), f"e{number}") for number in range(16)]
    assert replica.deliver(*batch) == [True] * 16
    assert replica.pauses == []
    assert state_of(world, Box, "b7") is None
    assert all(state_of(world, Box, f"b{number}") for number in range(16) if number != 7)
    assert "refuses" in next(one.quarantined.reason for one in world.store.outcomes() if one.quarantined)


def test_an_event_on_which_the_store_breaks_is_handed_back_alone() -> None:
    """Rule 7: an error is no refusal, so it is not quarantined; but its neighbours go on."""
    world = World(desk)
    world.store.breaks = lambda writes: any('"coins":7' in (write.value or "") for write in writes)
    batch = [came(Put(box=f"b{number}", amount=number), f"e{number}") for number in range(16)]
    assert Replica(world).deliver(*batch) == [number != 7 for number in range(16)]
    world.assert_released()


def test_an_event_too_large_to_be_set_aside_whole_is_set_aside_in_part() -> None:
    """Rule 8: otherwise it would be redelivered for ever, and block its topic."""
    world = World(desk)
    world.store.refuses = lambda writes: sum(write.size for write in writes) > 100_000
    huge = raw(wire(PUT, "e1") | {"data": {"box": "a", "amount": "x" * 200_000}})
    assert Replica(world).deliver(huge, came(PUT, "e2")) == [True, True]
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    world.assert_released()


@pytest.mark.parametrize("letter", ["x", "\U0001f980", '"'])
@pytest.mark.parametrize("limit", range(10_000, 40_000, 3_000))
def test_a_batch_is_cut_by_the_bytes_that_travel(letter: str, limit: int) -> None:
    """Rule 8: a text inside JSON grows with its quotes and its letters; the sidecar counts bytes, not letters."""
    world = World(desk, limits=Limits(commit_bytes=limit))
    batch = [came(Put(box=f"{number}" + letter * 60, amount=1), f"e{number}") for number in range(40)]
    assert Replica(world).deliver(*batch) == [True] * 40
    sizes = [sum(len(orjson.dumps(write.value)) for write in writes) for writes in world.store.tried]
    assert len(sizes) > 1
    assert max(sizes) <= limit


def test_a_batch_is_cut_by_count() -> None:
    """Rule 8: no transaction has more writes than it may."""
    world = World(desk, limits=Limits(commit_writes=10))
    Replica(world).deliver(*(came(Put(box=f"b{number}", amount=1), f"e{number}") for number in range(35)))
    assert max(len(writes) for writes in world.store.tried) <= 10


def test_publishes_are_cut_by_bytes_and_count() -> None:
    """Rule 8: an event that does not fit into one request would never be published."""
    world = World(desk, limits=Limits(publish_bytes=20_000, publish_count=7))
    small = [came(Put(box=f"{number}" + "\U0001f980" * 100, amount=1), f"e{number}") for number in range(30)]
    large = [came(Shouted(box="a", letters=9_000), f"s{number}") for number in range(10)]
    assert Replica(world).deliver(*small, *large) == [True] * 40
    assert max(len(call) for call in world.broker.calls) == 7
    assert max(sum(len(event.encoded.encode()) for event in call) for call in world.broker.calls) <= 20_000
    world.assert_released()


def test_a_conflict_that_keeps_coming_back_splits_the_batch() -> None:
    """One contested record must not delay the whole batch."""
    world = World(desk)
    world.store.commits.extend(["conflict", "conflict"])
    replica = Replica(world)
    steps = list(replica.settling([came(Put(box=f"b{number}", amount=1), f"e{number}") for number in range(8)]))
    assert [len(step.writes) for step in steps if isinstance(step, Commit)] == [8, 8, 4, 4]
    assert sum(isinstance(step, Pause) for step in steps) == 1


def test_what_is_told_of_a_large_event_is_cut() -> None:
    """A quarantine never fails because its letter is too large."""
    world = World(desk)
    bad = raw(wire(PUT, "e1") | {"data": {"box": "a", "amount": "\U0001f980" * 30_000, "note": '"' * 20_000}})
    assert Replica(world).deliver(bad) == [True]
    told = said(world.broker.texts()[0])
    assert (told["whole"], told["event_id"]) == (False, "e1")


@pytest.mark.parametrize(
    ("delivery", "whole"),
    [
        (too_large(Overlong.of(b"x" * 300_000)), False),
        (too_large(Overlong("0" * 64, 300_000, b"few")), False),
        (shortened(unreadable(b"x" * 9_000, "no event")), False),
        (unreadable(b"x" * 30_000, "no event"), False),
        (unreadable(b"ends like this [...]", "no event"), True),
        (unreadable(b"", "no event"), True),
    ],
)
def test_a_letter_says_whether_it_holds_the_whole_event(delivery: Delivery, whole: bool) -> None:
    """A reader must not take the beginning of an event for the whole event."""
    world = World(desk)
    Replica(world).deliver(delivery)
    assert said(world.broker.texts()[0])["whole"] is whole
