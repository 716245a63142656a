"""Accepted commands whose broker is not believed: said again until they have an outcome, and in hand until then."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.engine.replica import NOON
from tests.unit.web.web_desk import Desk

LATER = NOON + timedelta(seconds=11)


async def test_an_accepted_command_without_an_outcome_is_said_again_to_the_byte() -> None:
    """As often as it takes; one that has an outcome is not."""
    stage = Desk()
    lost, settled = stage.accept("k1"), stage.accept("k2")
    stage.settle(settled)
    assert [await stage.looking_after.look(LATER) for _ in range(2)] == [1, 1]
    assert stage.said == [lost.outgoing.encoded] * 2


async def test_nobody_is_hurried() -> None:
    """What was accepted a moment ago is still on its way."""
    stage = Desk()
    stage.accept("k1")
    assert await stage.looking_after.look(NOON + timedelta(seconds=9)) == 0


async def test_what_is_looked_after_is_in_hand_until_it_has_an_outcome() -> None:
    """A drain that did not count it would exchange a broker from which it had yet to be saved."""
    stage = Desk()
    first, _ = stage.accept("k1"), stage.accept("k2")
    stage.looking_after.add(first)
    assert stage.in_hand == 2
    stage.settle(first)
    await stage.looking_after.look(LATER)
    assert stage.in_hand == 1


async def test_a_record_that_cannot_be_read_holds_up_no_other_command() -> None:
    """It stays in hand, as nobody can tell whether its event was settled; whoever drains is to hear of it."""
    stage = Desk()
    broken, lost, settled = (stage.accept(key) for key in ("k1", "k2", "k3"))
    stage.settle(settled)
    stage.spoil(broken)
    assert await stage.looking_after.look(LATER) == 1
    assert stage.said == [lost.outgoing.encoded]
    assert stage.in_hand == 2
