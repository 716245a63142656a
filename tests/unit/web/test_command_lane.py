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
