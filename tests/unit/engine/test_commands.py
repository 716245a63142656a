"""Commands: everything in the event derives from the caller, its key and the body, so a retry is the same event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from choreography.engine.commanding import Accepted, Commanding, Earlier
from choreography.engine.delivery import read_delivery
from choreography.engine.envelope import LARGEST_EVENT
from choreography.engine.operations import Confirm, Limits, Read, Stored, Unknown
from choreography.engine.records import MOST_FOLDED
from choreography.errors import UnsayableEventError
from tests.unit.engine.events import came, state_of
from tests.unit.engine.replica import NOON, Replica, World
from tests.unit.engine.store import failed
from tests.unit.engine.toy import Box, NewBox, Put, desk

[OPEN] = desk.commands


def accept(commanding: Commanding, owner: str = "ann", key: str = "k1", after: timedelta = timedelta(0)) -> Accepted:
    """Accept one request."""
    event_id = commanding.event_id("caller", "POST /boxes", key)
    event = commanding.event(OPEN, event_id, {"new": NewBox(owner=owner)})
    return commanding.accept(event, event_id, NOON + after, "")


def earlier(world: World, *accepted: Accepted, answer: Any = None) -> list[Earlier]:
    """Look up what the store knows of them."""
    engine = Commanding(desk, Limits()).earlier(accepted, NOON)
    read = next(engine)
    assert isinstance(read, Read)
    with pytest.raises(StopIteration) as stop:
        engine.send(answer or world.store.read(read.keys))
    found: list[Earlier] = stop.value.value
    return found


def test_the_same_key_and_body_is_the_same_event_on_every_replica() -> None:
    """Rule 17: ids and all that is said; no clock and no random."""
    first, other = accept(Commanding(desk, Limits())), accept(Commanding(desk, Limits()), after=timedelta(hours=1))
    assert first.envelope.id == other.envelope.id
    assert first.envelope.digest == other.envelope.digest
    assert first.envelope.subject == other.envelope.subject


def test_a_retry_at_the_replica_that_remembers_is_the_same_to_the_byte() -> None:
    """Rule 17: the time of the first request, too."""
    commanding = Commanding(desk, Limits())
    first = accept(commanding)
    commanding.remember(first)
    assert accept(commanding, after=timedelta(minutes=1)).outgoing == first.outgoing


def test_another_body_under_the_same_key_contradicts() -> None:
    """Rule 17: at once, where the first is remembered."""
    commanding = Commanding(desk, Limits())
    commanding.remember(accept(commanding))
    assert commanding.contradicts(accept(commanding, owner="bob"))
    assert not commanding.contradicts(accept(commanding))


def test_another_body_under_the_same_key_is_found_in_the_store() -> None:
    """Rule 17: by the one read of the outcome, at every replica and after every restart."""
    world = World(desk)
    first = accept(Commanding(desk, Limits()))
    Replica(world).deliver(read_delivery(first.outgoing.encoded.encode()))
    second = accept(Commanding(desk, Limits()), owner="bob")
    known, unknown = earlier(world, second, accept(Commanding(desk, Limits()), key="k2"))
    assert known == Earlier(first.envelope.digest)
    assert known.digest != second.envelope.digest
    assert unknown == Earlier(None)


@pytest.mark.parametrize(
    "parts", [("other", "POST /boxes", "k1"), ("caller", "POST /x", "k1"), ("caller", "POST /boxes", "k2")]
)
def test_caller_route_and_key_each_make_another_event(parts: tuple[str, str, str]) -> None:
    """Rule 17: two customers may use the same key."""
    commanding = Commanding(desk, Limits())
    assert commanding.event_id(*parts) != commanding.event_id("caller", "POST /boxes", "k1")


def test_the_ids_of_commands_are_frozen() -> None:
    """Rule 17: a change would make every retry that is under way a second command."""
    accepted = accept(Commanding(desk, Limits()))
    assert (accepted.envelope.id, accepted.envelope.subject) == (
        "18de79c57b0373bea19acc21e4ec9f53",
        "4b045a5f0c20342c4e1f1b5a6017a657",
    )


@pytest.mark.parametrize("answer", [Unknown("no answer"), None])
def test_a_store_that_does_not_answer_is_not_taken_for_never(answer: Unknown | None) -> None:
    """Rule 5: 503, and the client comes again with its key."""
    world = World(desk)
    world.store.reads.append(failed)
    assert earlier(world, accept(Commanding(desk, Limits())), answer=answer) == [Earlier(None, readable=False)]


def test_a_retry_published_twice_is_run_once() -> None:
    """Rule 17: a failed publish is unknown, so the client sends it again."""
    world = World(desk)
    for minute in range(2):
        accepted = accept(Commanding(desk, Limits()), after=timedelta(minutes=minute - 5))
        assert Replica(world).deliver(read_delivery(accepted.outgoing.encoded.encode())) == [True]
    assert len(world.store.outcomes()) == 1
    assert state_of(world, Box, accepted.envelope.subject) is not None


def test_a_command_that_says_too_much_is_refused() -> None:
    """Rule 12: before anything is published."""
    with pytest.raises(UnsayableEventError):
        accept(Commanding(desk, Limits()), owner="x" * LARGEST_EVENT)


def test_what_was_just_accepted_is_known_to_the_replica_that_accepted_it() -> None:
    """Until the first delivery GET answers 202 for it, and 404 for any other."""
    commanding = Commanding(desk, Limits())
    accepted = accept(commanding)
    commanding.remember(accepted)
    assert commanding.just_accepted(accepted.envelope.subject)
    assert not commanding.just_accepted("another")


def test_a_command_whose_outcome_had_no_room_in_its_record_is_found_apart() -> None:
    """Rule 17: although a bulk get did not show it, as the record says that some of its outcomes are elsewhere."""
    world = World(desk)
    command = accept(Commanding(desk, Limits()))
    box = command.envelope.subject
    puts = (came(Put(box=box, amount=1), f"e{number}") for number in range(MOST_FOLDED))
    Replica(world).deliver(*puts, read_delivery(command.outgoing.encoded.encode()))
    assert len(world.store.apart()) == 1
    assert looked_up(world, command, world.store.confirm) == [Earlier(command.envelope.digest)]


def test_a_command_whose_outcome_could_not_be_looked_up_apart_is_unknown() -> None:
    """Rule 5: it may have been settled."""
    world = World(desk)
    command = accept(Commanding(desk, Limits()))
    puts = (came(Put(box=command.envelope.subject, amount=1), f"e{number}") for number in range(MOST_FOLDED + 1))
    Replica(world).deliver(*puts)
    assert looked_up(world, command, lambda _: Unknown("no answer")) == [Earlier(None, readable=False)]


def looked_up(world: World, command: Accepted, confirming: Callable[[str], Stored | Unknown | None]) -> list[Earlier]:
    """Look up a command of which the record alone tells nothing."""
    engine = Commanding(desk, Limits()).earlier([command], NOON)
    read = next(engine)
    assert isinstance(read, Read)
    found_together = world.store.read([key for key in read.keys if ".outcome." not in key])
    confirm = engine.send(found_together)
    assert isinstance(confirm, Confirm)
    answer = confirming(confirm.key)
    with pytest.raises(StopIteration) as stop:
        engine.send(answer)
    found: list[Earlier] = stop.value.value
    return found
