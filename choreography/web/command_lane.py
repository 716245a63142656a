"""The way of accepted commands to the broker: those that wait at the same moment go together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from choreography.engine.commanding import Accepted, Commanding, Earlier
from choreography.sidecar.client import Sidecar
from choreography.sidecar.driver import Driver


class CommandLane:
    """Commands that wait at the same moment share one read and one publish."""

    def __init__(self, commanding: Commanding, driver: Driver, sidecar: Sidecar) -> None:
        self._commanding, self._driver, self._sidecar = commanding, driver, sidecar
        self._waiting: list[tuple[Accepted, str, asyncio.Future[bool | None]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def submit(self, accepted: Accepted, trace: str = "") -> bool | None:
        """Publish a command's event. True: accepted. False: its key belongs to another body. None: unknown.

        Args:
            accepted: the command's event; of a retry it is that of the first request, its trace included.
            trace: the traceparent of this request, to which the calls it leads to belong.
        """
        future: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((accepted, trace, future))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:200], self._waiting[200:]
            answers: Sequence[bool | Exception | None]
            try:
                answers = await self._accept([accepted for accepted, _, _ in group], group[0][1])
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
                answers = [error] * len(group)
            for (_, _, future), answer in zip(group, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    async def _accept(self, group: Sequence[Accepted], trace: str) -> Sequence[bool | Exception | None]:
        earlier: list[Earlier] = await self._driver.drive(self._commanding.earlier(group, datetime.now(UTC)), trace)
        answers = [_judge(known, one) for known, one in zip(earlier, group, strict=True)]
        topics: dict[str, list[int]] = {}
        for index, (known, one) in enumerate(zip(earlier, group, strict=True)):
            if known.readable and known.digest is None:
                topics.setdefault(one.outgoing.topic, []).append(index)
        for indices in topics.values():
            failed = await self._sidecar.publish([group[index].outgoing for index in indices], trace)
            for position, index in enumerate(indices):
                answers[index] = None if position in failed else True
        return answers


def _judge(known: Earlier, accepted: Accepted) -> bool | Exception | None:
    if not known.readable:
        return known.problem
    return known.digest is None or known.digest == accepted.envelope.digest
