"""The publishing lane: events of one topic that wait at the same moment share one call.

The events of a batch come in bulk already, but the answers of the outside come one by one, and a call for each of them
would cost the sidecar more than all its other work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from choreography.engine.operations import NOTHING_FAILED, Limits
from choreography.engine.records import Outgoing
from choreography.sidecar.client import SidecarClient
from choreography.tracing.traceparent import of_all

_Waiting = tuple[Sequence[Outgoing], str, asyncio.Future[frozenset[int]]]


class Publishing:
    """Publishes for one service: one call per topic at a time, so at low load nothing waits."""

    def __init__(self, sidecar: SidecarClient, limits: Limits) -> None:
        self._sidecar, self._limits = sidecar, limits
        self._waiting: dict[str, list[_Waiting]] = {}
        self._lanes: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Stop; the waiting events are published when their causes are redelivered."""
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)

    async def publish(self, events: Sequence[Outgoing], trace: str = "") -> frozenset[int]:
        """Publish events of one topic. Return the indices of the events that the broker did not confirm."""
        topic = events[0].topic
        future: asyncio.Future[frozenset[int]] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(topic, []).append((events, trace, future))
        if topic not in self._lanes:
            self._lanes[topic] = asyncio.create_task(self._empty(topic), name=f"publish to {topic}")
        return await future

    async def _empty(self, topic: str) -> None:
        group: list[_Waiting] = []
        try:
            while group := self._next(topic):
                answers = await self._together(group)
                for (_, _, future), answer in zip(group, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
        finally:
            # No event may join between the last look and this, and no caller may wait for a lane that ended early.
            del self._lanes[topic]
            for _, _, future in [*group, *self._waiting.pop(topic)]:
                future.cancel()

    def _next(self, topic: str) -> list[_Waiting]:
        """Take as many waiting groups as one call may carry, and always the first."""
        waiting, taken, count, size = self._waiting[topic], 0, 0, 0
        for events, _, _ in waiting:
            count += len(events)
            size += sum(event.size for event in events)
            if taken and (count > self._limits.publish_count or size > self._limits.publish_bytes):
                break
            taken += 1
        group, self._waiting[topic] = waiting[:taken], waiting[taken:]
        return group

    async def _together(self, group: Sequence[_Waiting]) -> list[frozenset[int]]:
        trace = of_all(trace for _, trace, _ in group)
        failed = await self._sidecar.publish([event for events, _, _ in group for event in events], trace)
        if not failed:
            return [NOTHING_FAILED] * len(group)
        if len(group) > 1 and len(failed) == sum(len(events) for events, _, _ in group):
            # Perhaps only one of them caused the failure: events that share a call by chance must not fail with it for
            # ever.
            return await asyncio.gather(*(self._sidecar.publish(events, trace) for events, trace, _ in group))
        answers, start = [], 0
        for events, _, _ in group:
            answers.append(frozenset(index for index in range(len(events)) if start + index in failed))
            start += len(events)
        return answers
