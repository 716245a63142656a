"""The way of accepted commands: commands that wait at the same moment are recorded together and published together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from choreography.engine.accepted import Verdict
from choreography.engine.accepting import Accepting
from choreography.engine.commanding import Accepted
from choreography.engine.records import Outgoing
from choreography.runtime.driver import Driver
from choreography.runtime.group_commit import BUSY, GATHERING
from choreography.sidecar.client import SidecarClient
from choreography.tracing.traceparent import of_all

_MOST: Final = 200
_MOST_BYTES: Final = 512 * 1024
"""The largest group. Its events share one transaction, one publish and one job; the scheduler accepts the least."""

_Waiting = tuple[Accepted, str, asyncio.Future[bool | None]]


class CommandLane:
    """Commands that wait at the same moment share one read, one reminder, one transaction and one publish.

    While one group is being published, the next is recorded.

    Args:
        reminder: how long after its scheduling a reminder fires.
    """

    def __init__(self, accepting: Accepting, driver: Driver, sidecar: SidecarClient, *, reminder: timedelta) -> None:
        self._accepting, self._driver, self._sidecar = accepting, driver, sidecar
        self._in_time = reminder.total_seconds() * 0.8
        self._waiting: list[_Waiting] = []
        self._recording: asyncio.Task[None] | None = None
        self._publishing: set[asyncio.Task[None]] = set()

    async def submit(self, accepted: Accepted, trace: str = "") -> bool | None:
        """Record and publish a command's event. True: accepted. False: its key has another body. None: unknown.

        Args:
            accepted: the command's event; for a retry the event of the first request, including its trace.
            trace: the traceparent of this request, which the resulting calls carry.
        """
        future: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((accepted, trace, future))
        if self._recording is None or self._recording.done():
            self._recording = asyncio.create_task(self._record_groups(), name="commands")
        return await future

    async def _record_groups(self) -> None:
        clock, group = asyncio.get_running_loop().time, list[_Waiting]()
        while self._waiting:
            if len(group) >= BUSY:
                await asyncio.sleep(GATHERING)
            group, began = self._next(), clock()
            try:
                recording = self._accepting.accept([accepted for accepted, _, _ in group], datetime.now(UTC))
                verdicts: list[Verdict] = await self._driver.drive(recording, of_all(trace for _, trace, _ in group))
                if clock() - began > self._in_time:
                    # The reminder may have fired before the record was written. A retry schedules another reminder.
                    verdicts = [one if one.accepted is False else Verdict(None) for one in verdicts]
            except Exception as error:  # noqa: BLE001 - the waiting requests must get the error
                for _, _, future in group:
                    _answer(future, error)
                continue
            publishing = asyncio.create_task(self._publish(group, verdicts))
            self._publishing.add(publishing)
            publishing.add_done_callback(self._publishing.discard)

    def _next(self) -> list[_Waiting]:
        """Take as many waiting commands as one group may carry, and always the first."""
        taken, size = 0, 0
        for accepted, _, _ in self._waiting[:_MOST]:
            size += accepted.outgoing.size
            if taken and size > _MOST_BYTES:
                break
            taken += 1
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    async def _publish(self, group: Sequence[_Waiting], verdicts: Sequence[Verdict]) -> None:
        topics: dict[str, list[tuple[asyncio.Future[bool | None], Outgoing, str]]] = {}
        for (_, trace, future), verdict in zip(group, verdicts, strict=True):
            if verdict.publish is None:
                _answer(future, verdict.problem or verdict.accepted)
            else:
                topics.setdefault(verdict.publish.topic, []).append((future, verdict.publish, trace))
        await asyncio.gather(*(self._publish_together(waiting) for waiting in topics.values()))

    async def _publish_together(self, waiting: Sequence[tuple[asyncio.Future[bool | None], Outgoing, str]]) -> None:
        trace = of_all(trace for _, _, trace in waiting)
        try:
            failed = await self._sidecar.publish([event for _, event, _ in waiting], trace)
        except Exception as error:  # noqa: BLE001 - the waiting requests must get the error
            for future, _, _ in waiting:
                _answer(future, error)
            return
        for index, (future, _, _) in enumerate(waiting):
            # The command is recorded, but it is accepted only if its event was published as well.
            _answer(future, None if index in failed else True)


def _answer(future: asyncio.Future[bool | None], answer: bool | Exception | None) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
