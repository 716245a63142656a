"""The queue between releasing and effects: a caller that hands over an intent waits only for its end."""

from __future__ import annotations

import asyncio

import pytest

from choreography.engine.records import CommittedIntent
from choreography.runtime.intents import Intents
from tests.unit.engine.replica import NOON


def intent(key: str) -> CommittedIntent:
    """Return a committed intent."""
    return CommittedIntent("pay", key, "{}", "flow-1", NOON, "")


async def test_each_intent_ends_by_itself_and_those_that_did_not_are_named() -> None:
    """They are named by their position in the group, in whatever order they end."""
    intents = Intents()
    handing = asyncio.create_task(intents.carry_out([intent(key) for key in "abc"], repeated=False, nudge=""))
    handed = [await intents.next() for _ in range(3)]
    assert [one.committed.key for one in handed] == ["a", "b", "c"]
    handed[2].ended.set_result(False)
    handed[0].ended.set_result(True)
    await asyncio.sleep(0)
    assert not handing.done()
    handed[1].ended.set_result(True)
    assert await handing == {2}


async def test_how_an_intent_is_asked_for_goes_with_it() -> None:
    """A repeat is looked up before the call, and a nudge publishes the events of its answer."""
    intents = Intents()
    handing = asyncio.create_task(intents.carry_out([intent("a")], repeated=True, nudge="n1"))
    handed = await intents.next()
    assert (handed.repeated, handed.nudge) == (True, "n1")
    handed.ended.set_result(True)
    assert await handing == frozenset()


async def test_a_failure_reaches_whoever_handed_the_intent_over() -> None:
    """The event is then redelivered."""
    intents = Intents()
    handing = asyncio.create_task(intents.carry_out([intent("a"), intent("b")], repeated=False, nudge=""))
    first, second = await intents.next(), await intents.next()
    first.ended.set_exception(TypeError("nobody thought of this"))
    with pytest.raises(TypeError, match="nobody thought of this"):
        await handing
    assert not second.ended.done()


async def test_a_queue_that_is_closed_lets_nobody_wait() -> None:
    """Its intents are committed, so redelivery brings them again."""
    intents = Intents()
    handing = asyncio.create_task(intents.carry_out([intent("a")], repeated=False, nudge=""))
    await asyncio.sleep(0)
    intents.close()
    with pytest.raises(asyncio.CancelledError):
        await handing
