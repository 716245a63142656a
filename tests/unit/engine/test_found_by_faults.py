"""Defects that fault runs found, each in its shortest form."""

from __future__ import annotations

import pytest

from tests.unit.engine.events import came, state_of
from tests.unit.engine.replica import Replica, World, die_after
from tests.unit.engine.toy import Box, Put, desk


@pytest.mark.parametrize("kills_at", range(4))
def test_an_innocent_event_that_came_twice_in_a_batch_is_not_set_aside_after_one_death(kills_at: int) -> None:
    """Its replica was killed twice within minutes, for other reasons.

    The mark of the second process named the event twice, so it counted as having killed two processes, the second one
    alone. It was quarantined without running, and an order was completed that was never placed.
    """
    world = World(desk)
    put = came(Put(box="a", amount=1), "put")
    first = Replica(world)
    assert first.begin()
    second = Replica(world)
    assert second.begin()
    assert die_after(second.delivering([put, put]), kills_at)
    third = Replica(world)
    assert third.begin()
    assert third.deliver(put, put) == [True, True]
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    assert not [one for one in world.store.outcomes() if one.quarantined]
