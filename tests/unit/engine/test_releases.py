"""Releases: the old outcome wins, whichever release settled the event."""

from __future__ import annotations

import pytest

from choreography import Service
from choreography.engine.accepted import Verdict
from choreography.engine.accepting import Accepting
from choreography.engine.commanding import Commanding
from choreography.engine.operations import Limits
from tests.unit.engine.events import came, record_of, state_of, wire
from tests.unit.engine.releases import mended, paired, single, widened
from tests.unit.engine.replica import Replica, World
from tests.unit.engine.toy import Box, Moved, Opened, Put, Shoes, desk


def test_an_outcome_that_was_folded_is_found_by_a_release_that_names_more() -> None:
    """Both places are searched for ever; otherwise a settled event would run again at its redelivery."""
    world = World(desk)
    put = came(Put(box="a", amount=1), "e1")
    Replica(world).settle(put)
    Replica(world, service=paired).deliver(put)
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    assert record_of(world, Shoes, "a") is None
    world.assert_released()


def test_an_outcome_that_was_kept_apart_is_found_by_a_release_that_names_less() -> None:
    """The record of every written entity says that there may be outcomes elsewhere."""
    world = World(desk)
    moved = came(Moved(box="a", to=("b",)), "e2")
    Replica(world).settle(came(Put(box="a", amount=5), "e1"), moved)
    Replica(world, service=single).deliver(moved)
    assert state_of(world, Box, "a") == Box(box="a", coins=4)
    assert len(world.broker.texts()) == 1


@pytest.mark.parametrize("release", [mended, widened, paired])
def test_a_new_version_of_a_reaction_repeats_what_the_old_one_decided(release: Service) -> None:
    """A committed decision stays; the new code handles only new events."""
    world = World(desk)
    batch = [came(Put(box="a", amount=5), "e1"), came(Moved(box="a", to=("b",)), "e2")]
    Replica(world).settle(*batch)
    before = world.store.content()
    Replica(world, service=release).deliver(*batch)
    assert world.store.content() == before
    assert set(world.broker.texts()) <= world.recorded()


def test_the_next_release_continues_in_the_records_of_the_last() -> None:
    """New events see the state that the old ones left."""
    world = World(desk)
    Replica(world).deliver(came(Put(box="a", amount=5), "e1"))
    Replica(world, service=paired).deliver(came(Put(box="a", amount=5), "e2"))
    Replica(world).deliver(came(Put(box="a", amount=5), "e2"), came(Put(box="a", amount=5), "e3"))
    assert state_of(world, Box, "a") == Box(box="a", coins=15)


def test_a_command_is_recognised_by_a_release_that_names_more() -> None:
    """The read before the 202 also searches both places."""
    world = World(desk)
    Replica(world).deliver(came(Opened(box="a"), "e1", source="desk"))
    accepted = Commanding(desk).accept(Opened(box="a"), "e1", Replica(world).now, "")
    verdicts = Replica(world).drive(Accepting(desk, Limits()).accept([accepted], Replica(world).now))
    assert verdicts == [Verdict(accepted=True)]
    assert wire(Opened(box="a"), "e1")["type"] in desk.subjects
