"""Commands that wait at the same moment share one read, one transaction and one publish, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import cast

from orjson import JSONDecodeError

from choreography.engine.identity import accepted_key
from choreography.engine.operations import Limits
from choreography.runtime.driver import Driver
from choreography.sidecar.client import SidecarClient
from choreography.web.command_lane import CommandLane
from tests.unit.web.web_desk import EVERY, Desk


async def test_a_record_that_cannot_be_read_refuses_no_other_command() -> None:
    """Unrelated commands share the group only by chance."""
    stage = Desk()
    broken, sound = stage.asked("k1"), stage.asked("k2")
    stage.spoil(broken)
    lane = stage.lane
    answers = await asyncio.gather(lane.submit(broken), lane.submit(sound), return_exceptions=True)
    assert isinstance(answers[0], JSONDecodeError)
    assert answers[1] is True
    assert stage.said == [sound.outgoing.encoded]


async def test_what_a_retry_leads_to_belongs_to_the_trace_of_the_retry() -> None:
    """It publishes the first request's bytes, but its spans do not lengthen the first request's trace."""
    stage = Desk()
    first = stage.asked("k1", "the first trace")
    stage.commanding.remember(first)
    again = stage.asked("k1", "another trace")
    assert again == first
    assert await stage.lane.submit(again, "another trace") is True
    assert stage.traces == {"another trace"}


async def test_those_that_wait_at_the_same_moment_go_together() -> None:
    """They share one transaction and one publish, and each gets its own result."""
    stage = Desk()
    await stage.lane.submit(stage.asked("k1"))
    asked = [stage.asked("k1", owner="bob"), stage.asked("k1"), *(stage.asked(f"k{number}") for number in range(2, 9))]
    answers = await asyncio.gather(*(stage.lane.submit(one) for one in asked))
    assert answers == [False, *[True] * 8]
    assert len(stage.world.store.transactions) == 2
    assert stage.calls == [1, 8]


async def test_what_the_broker_did_not_take_is_not_accepted_but_recorded() -> None:
    """It is unknown whether the event arrived; a retry or the reminder publishes it again."""
    stage = Desk()
    stage.refuses = True
    one = stage.asked("k1")
    assert await stage.lane.submit(one) is None
    assert str(accepted_key("desk", one.envelope.id)) in stage.world.store.rows
    stage.refuses = False
    assert await stage.lane.submit(one) is True


async def test_no_group_grows_beyond_what_a_scheduler_takes() -> None:
    """One request may have half the size limit of an event; hundreds of those must not fail together."""
    stage = Desk()
    large = [stage.asked(f"k{number}", owner="x" * 50_000) for number in range(60)]
    assert await asyncio.gather(*(stage.lane.submit(one) for one in large)) == [True] * 60
    assert max(sum(map(len, events)) for events in stage.world.scheduler.reminders) <= 512 * 1024
    assert all(sum(write.size for write in writes) < Limits().commit_bytes for writes in stage.world.store.tried)


async def test_a_command_whose_reminder_may_have_come_before_its_record_is_not_accepted() -> None:
    """If the store takes half a minute, the reminder finds nothing and ends; a retry gets another."""
    stage = Desk()
    stage.lane = CommandLane(
        stage.accepting, cast("Driver", stage), cast("SidecarClient", stage), reminder=timedelta(0)
    )
    one = stage.asked("k1")
    assert await stage.lane.submit(one) is None
    assert stage.said == []
    stage.lane = CommandLane(stage.accepting, cast("Driver", stage), cast("SidecarClient", stage), reminder=EVERY)
    assert await stage.lane.submit(one) is True
    assert len(stage.world.scheduler.reminders) == 2


async def test_the_next_group_is_recorded_while_the_broker_is_slow() -> None:
    """Otherwise every command would wait for the broker twice."""
    stage = Desk()
    open_again = asyncio.Event()
    publish = stage.publish

    async def slowly(*arguments: object) -> frozenset[int]:
        await open_again.wait()
        return await publish(*arguments)  # type: ignore[arg-type]

    stage.publish = slowly  # type: ignore[assignment, method-assign]
    first = asyncio.create_task(stage.lane.submit(stage.asked("k1")))
    await asyncio.sleep(0)
    second = asyncio.create_task(stage.lane.submit(stage.asked("k2")))
    while len(stage.world.store.transactions) < 2:  # noqa: ASYNC110 - the store tells nobody
        await asyncio.sleep(0)
    assert not first.done()
    open_again.set()
    assert [await first, await second] == [True, True]
