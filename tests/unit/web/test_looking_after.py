"""Accepted commands without an outcome: published again, ever more rarely, and counted by a drain."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from choreography.engine.commanding import Commanding
from choreography.engine.slots import row_key
from choreography.web import looking_after
from tests.unit.engine.replica import NOON
from tests.unit.engine.test_accepting import Renamed
from tests.unit.engine.toy import desk
from tests.unit.web.unreadable_jobs import UNREADABLE_JOBS
from tests.unit.web.web_desk import EVERY, Desk


class Clock:
    """Tells the time of the test."""

    def __init__(self) -> None:
        self.at = NOON + EVERY

    def now(self, _zone: object) -> Any:
        """Return the time."""
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the first reminder come."""
    one = Clock()
    monkeypatch.setattr(looking_after, "datetime", one)
    return one


@pytest.mark.usefixtures("clock")
async def test_a_reminder_says_a_lost_command_again_to_the_byte_and_comes_again() -> None:
    """A command with an outcome is not published again; a reminder of settled commands ends."""
    stage = Desk()
    lost, settled = stage.accept("k1"), stage.accept("k2")
    stage.settle(settled)
    assert await stage.remind(lost, settled) == 500
    assert stage.said == [lost.outgoing.encoded]
    stage.settle(lost)
    assert await stage.remind(lost, settled) == 200
    assert stage.said == [lost.outgoing.encoded]


async def test_a_consumer_that_is_far_behind_is_not_given_ever_more_to_do(clock: Clock) -> None:
    """A waiting event is not lost: a consumer an hour behind gets seven copies, not a hundred and twenty."""
    stage = Desk()
    late = stage.accept("k1")
    for number in range(1, 121):
        clock.at = NOON + number * EVERY
        assert await stage.remind(late) == 500
    assert len(stage.said) == 7


async def test_an_event_that_still_waits_behind_those_being_handled_is_not_published_again(clock: Clock) -> None:
    """Commands came faster than their events are handled: a copy would only lengthen the queue."""
    stage = Desk()
    earlier, late = stage.accept("k1"), stage.accept("k2", NOON + timedelta(seconds=60))
    clock.at = NOON + timedelta(seconds=100)
    stage.handled(earlier, clock.at)
    assert await stage.remind(late) == 500
    assert await stage.looking_after.accepted(late.envelope.subject) is True
    assert stage.said == []


async def test_an_event_is_lost_once_younger_ones_are_handled(clock: Clock) -> None:
    """Then it is not waiting any more, so it is published again at the next reminder."""
    stage = Desk()
    lost, younger = stage.accept("k1"), stage.accept("k2", NOON + timedelta(seconds=6))
    clock.at = NOON + timedelta(seconds=100)
    stage.handled(younger, clock.at)
    assert await stage.remind(lost) == 500
    assert stage.said == [lost.outgoing.encoded]


async def test_an_event_is_lost_once_none_is_handled_any_more(clock: Clock) -> None:
    """The queue is empty, or its consumer stands still; a repeat does not count as handling."""
    stage = Desk()
    earlier, lost = stage.accept("k1"), stage.accept("k2", NOON + timedelta(seconds=60))
    stage.handled(earlier, NOON + timedelta(seconds=70))
    stage.handled(earlier, NOON + timedelta(seconds=100))
    clock.at = NOON + timedelta(seconds=101)
    assert await stage.remind(lost) == 500
    assert stage.said == [lost.outgoing.encoded]


async def test_nobody_is_hurried(clock: Clock) -> None:
    """A command that was accepted a moment ago is still on its way."""
    stage = Desk()
    box = stage.accept("k1").envelope.subject
    clock.at = NOON + timedelta(seconds=4)
    assert await stage.looking_after.accepted(box) is True
    assert stage.said == []


async def test_whoever_looks_for_what_a_lost_command_is_about_has_it_said_again(clock: Clock) -> None:
    """This works at any replica; frequent questions do not publish it each time."""
    stage = Desk()
    lost = stage.accept("k1")
    clock.at = NOON + timedelta(seconds=6)
    asking = (stage.looking_after.accepted(lost.envelope.subject) for _ in range(20))
    assert await asyncio.gather(*asking) == [True] * 20
    assert await stage.looking_after.accepted(lost.envelope.subject) is True
    assert stage.said == [lost.outgoing.encoded]
    assert await stage.looking_after.accepted("another") is False


async def test_a_store_that_does_not_say_whether_one_was_accepted_is_not_taken_for_a_no() -> None:
    """A 404 would deny an order for which a customer holds a 202."""
    stage = Desk()
    box = stage.accept("k1").envelope.subject
    stage.world.store.confirms.append(True)
    assert await stage.looking_after.accepted(box) is None


@pytest.mark.usefixtures("clock")
async def test_what_the_broker_does_not_take_is_said_at_the_next_reminder() -> None:
    """It was not published, so there is nothing to wait for."""
    stage = Desk()
    lost = stage.accept("k1")
    stage.refuses = True
    assert await stage.remind(lost) == 500
    stage.refuses = False
    assert await stage.remind(lost) == 500
    assert stage.said == [lost.outgoing.encoded]


@pytest.mark.usefixtures("clock")
async def test_a_record_that_cannot_be_read_holds_up_no_other_command() -> None:
    """It is checked again, because it is unknown whether its event was settled."""
    stage = Desk()
    broken, lost = stage.accept("k1"), stage.accept("k2")
    stage.spoil(broken)
    assert await stage.remind(broken, lost) == 500
    assert stage.said == [lost.outgoing.encoded]


@pytest.mark.usefixtures("clock")
async def test_a_record_that_stays_unreadable_is_set_aside_and_ends_the_reminder() -> None:
    """Rule 29: the third failure quarantines; the letter holds the event, for a replay after the repair."""
    stage = Desk()
    broken = stage.accept("k1")
    stage.spoil(broken)
    assert [await stage.remind(broken) for _ in range(4)] == [500, 500, 200, 200]
    stage.mend(broken)
    [aside] = [one for one in stage.world.store.outcomes() if one.quarantined]
    assert aside.quarantined is not None
    assert aside.quarantined.event == broken.outgoing.encoded
    assert "could not be read 3 times in the same way" in aside.quarantined.reason


@pytest.mark.parametrize("body", UNREADABLE_JOBS.values(), ids=UNREADABLE_JOBS.keys())
async def test_a_reminder_that_cannot_be_read_is_set_aside(body: bytes) -> None:
    """Otherwise it would come for ever; its content is recorded once, however often it comes."""
    stage = Desk()
    for _ in range(2):
        assert await stage.remind(body=body) == 200
        assert [one.quarantined is not None for one in stage.world.store.outcomes()] == [True]


@pytest.mark.usefixtures("clock")
async def test_what_is_unreadable_in_a_reminder_holds_up_no_command_beside_it() -> None:
    """The command is published again and reminded of again; the rest is quarantined, once."""
    stage = Desk()
    lost = stage.accept("k1")
    body = orjson.dumps({"commands": [lost.outgoing.encoded, "no event", 5, None, {}], "more": 1})
    assert [await stage.remind(body=body) for _ in range(2)] == [500, 500]
    assert stage.said == [lost.outgoing.encoded]
    assert len(stage.world.store.outcomes()) == 4
    stage.settle(lost)
    assert await stage.remind(body=body) == 200


async def test_a_command_that_only_another_release_accepts_is_not_taken_as_done() -> None:
    """A 404 would count as done; another release wrote it, and may run again."""
    stage = Desk()
    event = Commanding(desk).accept(Renamed(box="a"), "e1", NOON, "").outgoing.encoded
    assert await stage.remind(body=orjson.dumps({"commands": [event]})) == 500
    assert not stage.world.store.outcomes()


async def test_only_the_own_sidecar_may_remind() -> None:
    """Another client of the port must not make the service publish."""
    stage = Desk()
    assert await stage.remind(stage.accept("k1"), trusted=False) == 401
    assert stage.said == []


@pytest.mark.usefixtures("clock")
async def test_with_an_open_intake_nothing_is_in_hand_that_a_reminder_knows_of() -> None:
    """A drain begins with closing it."""
    stage = Desk()
    stage.looking_after.begin()
    await stage.remind(stage.accept("k1"))
    assert stage.in_hand == 0


@pytest.mark.usefixtures("clock")
async def test_with_a_closed_intake_commands_without_an_outcome_are_in_hand_until_they_have_one() -> None:
    """Otherwise a drain could end before their lost events were published again."""
    stage = Desk(intake_open=False)
    first, second = stage.accept("k1"), stage.accept("k2")
    for _ in range(2):
        await stage.remind(first, second)
        assert stage.in_hand == 2
    stage.settle(first)
    await stage.remind(first, second)
    assert stage.in_hand == 1
    stage.settle(second)
    assert await stage.remind(first, second) == 200
    assert stage.in_hand == 0


async def test_with_a_closed_intake_the_reminders_to_come_are_in_hand() -> None:
    """A replica that has just been started knows of no command; each is reminded of before this ends."""
    stage = Desk(intake_open=False)
    stage.looking_after._lasts = 0.05
    stage.looking_after.begin()
    assert stage.in_hand == 1
    await asyncio.sleep(0.1)
    assert stage.in_hand == 0


@pytest.mark.usefixtures("clock")
async def test_a_reminder_is_of_all_commands_of_its_slot_and_comes_until_each_has_an_outcome() -> None:
    """It covers the commands in its job and in the store's rows; the rows go with the last of them."""
    stage = Desk(slot_lasts=timedelta(seconds=3))
    first, second, third = (stage.accept(key) for key in ("k1", "k2", "k3"))
    (slot,) = stage.world.scheduler.slots
    stage.settle(first)
    stage.settle(second)
    assert await stage.remind(first, slot=slot) == 500
    assert stage.said == [third.outgoing.encoded]
    stage.settle(third)
    stage.world.store.commits.append("not written")
    assert await stage.remind(first, slot=slot) == 500
    assert await stage.remind(first, slot=slot) == 200
    assert not [key for key in stage.world.store.rows if "accepted" in key]


@pytest.mark.usefixtures("clock")
async def test_a_slot_whose_end_the_store_does_not_tell_is_reminded_of_again() -> None:
    """Rule 5: the slot may hold more commands."""
    stage = Desk(slot_lasts=timedelta(seconds=3))
    first, second = stage.accept("k1"), stage.accept("k2")
    (slot,) = stage.world.scheduler.slots
    stage.settle(first)
    stage.world.store.confirms.append(True)
    assert await stage.remind(first, slot=slot) == 500
    assert stage.said == []
    assert await stage.remind(first, slot=slot) == 500
    assert stage.said == [second.outgoing.encoded]


@pytest.mark.usefixtures("clock")
async def test_a_row_that_cannot_be_read_is_set_aside_and_ends_no_other_command_of_its_slot() -> None:
    """Rule 29: the row is corrupt; another read would fail the same way."""
    stage = Desk(slot_lasts=timedelta(seconds=3))
    first, _, third = (stage.accept(key) for key in ("k1", "k2", "k3"))
    (slot,) = stage.world.scheduler.slots
    stage.settle(first)
    key = str(row_key("desk", slot, 0))
    stage.world.store.rows[key] = stage.world.store.rows[key]._replace(value="not a row")
    assert await stage.remind(first, slot=slot) == 500
    assert stage.said == [third.outgoing.encoded]
    assert sum(one.quarantined is not None for one in stage.world.store.outcomes()) == 1
