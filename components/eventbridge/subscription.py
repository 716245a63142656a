"""One subscription: reads its queue for as long as its stream is open, however often AWS goes away meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, Final

from .aws import LOG, Aws, patiently, pause
from .envelope import Received, unwrap
from .errors import AWS_FAILURES, queue_is_gone
from .inflight import InFlight, Taken
from .queues import Queue, ensure_subscription
from .settings import Settings

_CLOSING_WITHIN: Final = 5.0


class Subscription:
    """How one consumer hears one topic.

    Deliveries are at least once: a message is deleted after its acknowledgement, and what was taken but not
    acknowledged when the stream ends, or when this process dies, is delivered again.
    """

    def __init__(self, aws: Aws, settings: Settings, topic: str, pattern: str, running: asyncio.Event) -> None:
        """Describe it; nothing is read before `deliveries` is.

        Args:
            aws: the connection.
            settings: of the component.
            topic: what is heard.
            pattern: an event pattern to hear instead of the topic; "" for the topic.
            running: is clear while the sidecar wants no new messages.
        """
        self._aws, self._settings, self._topic, self._pattern = aws, settings, topic, pattern
        self._running = running
        self._ids = itertools.count(1)
        self._ready: asyncio.Queue[tuple[str, Received, Taken]] = asyncio.Queue()
        self._in_flight: InFlight | None = None

    async def deliveries(self) -> AsyncGenerator[tuple[str, Received, Taken], None]:
        """Yield the id of each delivery and its message, until the caller closes the iterator."""
        reading = asyncio.create_task(self._read(), name=f"read {self._topic}")
        try:
            while True:
                delivery = await self._ready.get()
                await self._running.wait()
                yield delivery
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def answered(self, delivery: str, error: str | None) -> None:
        """Take the sidecar's answer to a delivery: None is an acknowledgement."""
        if self._in_flight is None:
            return
        if error is None:
            self._in_flight.acknowledge(delivery)
        else:
            LOG.info("a message of %s is delivered again: %s", self._topic, error)
            await self._in_flight.give_back(delivery)

    async def _read(self) -> None:
        while True:
            try:
                queue = await self._queue()
                LOG.info("%s is read from queue %s", self._topic, queue.name)
                await self._read_queue(queue)
                LOG.warning("queue %s is gone and is made again", queue.name)
            except Exception:  # noqa: BLE001 - whatever it is: a stream that ends is never opened again
                LOG.exception("reading %s failed in a way that was not foreseen; it begins again", self._topic)
                await asyncio.sleep(pause(3))

    async def _queue(self) -> Queue:
        return await patiently(
            f"preparing to hear {self._topic}",
            lambda: ensure_subscription(self._aws, self._settings, self._topic, self._pattern),
        )

    async def _read_queue(self, queue: Queue) -> None:
        """Read until the queue is gone, or the task is cancelled."""
        in_flight = InFlight(self._aws, queue.url, self._settings.visibility_timeout, self._settings.max_in_flight)
        self._in_flight = in_flight
        # Together: reading without deleting would deliver everything again and again.
        async with asyncio.TaskGroup() as together:
            keeping, deleting = together.create_task(in_flight.keep()), together.create_task(in_flight.delete())
            gone = False
            try:
                await self._take(queue, in_flight)
                gone = True
            finally:
                keeping.cancel()
                if not gone:
                    await in_flight.close(_CLOSING_WITHIN)
                deleting.cancel()

    async def _take(self, queue: Queue, in_flight: InFlight) -> None:
        while True:
            room = await in_flight.room()
            await self._running.wait()
            taken = await patiently(f"reading queue {queue.name}", partial(self._receive, queue, room))
            if taken is None:
                return
            for message in taken:
                delivery = str(next(self._ids))
                in_flight.take(delivery, message)
                self._ready.put_nowait((delivery, unwrap(message.body), message))

    async def _receive(self, queue: Queue, most: int) -> list[Taken] | None:
        try:
            answer = await self._aws.sqs.receive_message(
                QueueUrl=queue.url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=self._settings.wait_seconds,
                VisibilityTimeout=self._settings.visibility_timeout,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        except AWS_FAILURES as error:
            if queue_is_gone(error):
                return None
            raise
        return [_taken(message) for message in answer.get("Messages", ())]


def _taken(message: dict[str, Any]) -> Taken:
    receives = int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1"))
    return Taken(message["MessageId"], message["ReceiptHandle"], message["Body"], receives)
