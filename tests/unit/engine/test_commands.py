"""Commands: everything in the event derives from the caller, its key and the body, so a retry is the same event."""

from __future__ import annotations

from datetime import timedelta

import pytest

from choreography.engine.commanding import Accepted, Commanding
from choreography.engine.delivery import read_delivery
from choreography.engine.envelope import LARGEST_EVENT
from choreography.engine.operations import Limits
from choreography.errors import UnsayableEventError
from tests.unit.engine.events import state_of
from tests.unit.engine.replica import NOON, Replica, World
from tests.unit.engine.toy import Box, NewBox, desk

[OPEN] = desk.commands


def accept(commanding: Commanding, owner: str = "ann", key: str = "k1", after: timedelta = timedelta(0)) -> Accepted:
    """Accept one request."""
    event_id = commanding.event_id("caller", "POST /boxes", key)
    event = commanding.event(OPEN, event_id, {"new": NewBox(owner=owner)})
    return commanding.accept(event, event_id, NOON + after, "")


def test_the_same_key_and_body_is_the_same_event_on_every_replica() -> None:
    """Rule 17: ids and content do not depend on a clock or on chance."""
    first, other = accept(Commanding(desk)), accept(Commanding(desk), after=timedelta(hours=1))
    assert first.envelope.id == other.envelope.id
    assert first.envelope.digest == other.envelope.digest
    assert first.envelope.subject == other.envelope.subject


def test_a_retry_at_the_replica_that_remembers_is_the_same_to_the_byte() -> None:
    """Rule 17: the retry also has the time of the first request."""
    commanding = Commanding(desk)
    first = accept(commanding)
    commanding.remember(first)
    assert accept(commanding, after=timedelta(minutes=1)).outgoing == first.outgoing


def test_another_body_under_the_same_key_contradicts() -> None:
    """Rule 17: a replica that remembers the first request refuses at once."""
    commanding = Commanding(desk)
    commanding.remember(accept(commanding))
    assert commanding.contradicts(accept(commanding, owner="bob"))
    assert not commanding.contradicts(accept(commanding))


def test_the_oldest_command_is_forgotten_first() -> None:
    """The memory of a replica is bounded; the store has the rest."""
    commanding = Commanding(desk, Limits(remembered_commands=2))
    first, second, third = (accept(commanding, key=key) for key in ("k1", "k2", "k3"))
    for accepted in (first, second, third):
        commanding.remember(accepted)
    remembered = [commanding.just_accepted(one.envelope.subject) for one in (first, second, third)]
    assert remembered == [False, True, True]


@pytest.mark.parametrize(
    "parts", [("other", "POST /boxes", "k1"), ("caller", "POST /x", "k1"), ("caller", "POST /boxes", "k2")]
)
def test_caller_route_and_key_each_make_another_event(parts: tuple[str, str, str]) -> None:
    """Rule 17: two customers may use the same key."""
    commanding = Commanding(desk)
    assert commanding.event_id(*parts) != commanding.event_id("caller", "POST /boxes", "k1")


def test_the_ids_of_commands_are_frozen() -> None:
    """Rule 17: a change would make every retry that is under way a second command."""
    accepted = accept(Commanding(desk))
    assert (accepted.envelope.id, accepted.envelope.subject) == (
        "18de79c57b0373bea19acc21e4ec9f53",
        "4b045a5f0c20342c4e1f1b5a6017a657",
    )


def test_a_retry_published_twice_is_run_once() -> None:
    """Rule 17: a failed publish is unknown, so the client sends it again."""
    world = World(desk)
    for minute in range(2):
        accepted = accept(Commanding(desk), after=timedelta(minutes=minute - 5))
        assert Replica(world).deliver(read_delivery(accepted.outgoing.encoded.encode())) == [True]
    assert len(world.store.outcomes()) == 1
    assert state_of(world, Box, accepted.envelope.subject) is not None


def test_a_command_that_says_too_much_is_refused() -> None:
    """Rule 12: before anything is published."""
    with pytest.raises(UnsayableEventError):
        accept(Commanding(desk), owner="x" * LARGEST_EVENT)


def test_what_was_just_accepted_is_known_to_the_replica_that_accepted_it() -> None:
    """Until the first delivery GET answers 202 for it, and 404 for any other."""
    commanding = Commanding(desk)
    accepted = accept(commanding)
    commanding.remember(accepted)
    assert commanding.just_accepted(accepted.envelope.subject)
    assert not commanding.just_accepted("another")
