"""Commands that wait at the same moment share one read and one publish, and nothing else."""

from __future__ import annotations

import asyncio

from orjson import JSONDecodeError

from tests.unit.web.web_desk import Desk


async def test_a_record_that_cannot_be_read_refuses_no_other_command() -> None:
    """Strangers came in the same group by chance."""
    stage = Desk()
    broken, sound = stage.asked("k1"), stage.asked("k2")
    stage.spoil(broken)
    lane = stage.lane
    answers = await asyncio.gather(lane.submit(broken), lane.submit(sound), return_exceptions=True)
    assert isinstance(answers[0], JSONDecodeError)
    assert answers[1] is True
    assert stage.said == [sound.outgoing.encoded]


async def test_what_a_retry_leads_to_belongs_to_the_trace_of_the_retry() -> None:
    """Its event is that of the first request to the byte, but the first request took no longer because of it."""
    stage = Desk()
    first = stage.asked("k1", "the first trace")
    stage.commanding.remember(first)
    again = stage.asked("k1", "another trace")
    assert again == first
    assert await stage.lane.submit(again, "another trace") is True
    assert stage.traces == {"another trace"}
