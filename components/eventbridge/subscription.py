"""One subscription: reads its queue while its stream is open, however often AWS is away meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Coroutine
from functools import partial
from typing import Any, Final

from components.pluggable.messages import Delivery

from .aws import LOG, Aws, patiently, pause
from .envelope import unwrap
from .errors import AWS_FAILURES, code_of, explain, queue_is_gone
from .inflight import InFlight, Taken
from .probing import Probe
from .queues import Queue, ensure_subscription, former_queue, is_routed, silence_former_rule
from .routes import Line
from .settings import Settings

_CLOSING_WITHIN: Final = 5.0
_LOOKS_EVERY: Final = 30.0
"""Seconds between two looks at whether the rule is still there: a queue says nothing when it is filled no more."""


class Subscription:
    """The subscription of one consumer to one topic.

    Deliveries are at least once: a message is deleted after its acknowledgement. A message that is not acknowledged
    when the stream ends, or when this process dies, is delivered again.
    """

    def __init__(
        self, aws: Aws, settings: Settings, topic: str, pattern: str, *, running: asyncio.Event, line: Line
    ) -> None:
        """Describe the subscription; nothing is read before `deliveries` runs.

        Args:
            aws: the connection.
            settings: the settings of the component.
            topic: the topic to consume.
            pattern: an event pattern to consume instead of the topic; "" for the topic.
            running: not set while the sidecar wants no new messages.
            line: records whether events published now would reach its queue.
        """
        self._aws, self._settings, self._topic, self._pattern = aws, settings, topic, pattern
        self._running, self._line = running, line
        self._probe = Probe(aws, settings, topic)
        self._ids = itertools.count(1)
        self._ready: asyncio.Queue[Delivery] = asyncio.Queue()
        self._holders: dict[str, InFlight] = {}

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Yield each message, until the caller closes the iterator."""
        reading = [
            asyncio.create_task(self._read(), name=f"read {self._topic}"),
            asyncio.create_task(self._read_former(), name=f"read what is left of {self._topic}"),
        ]
        try:
            while True:
                delivery = await self._ready.get()
                await self._running.wait()
                yield delivery
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    async def answered(self, delivery: str, error: str | None) -> None:
        """Process the sidecar's answer to a delivery: None is an acknowledgement."""
        in_flight = self._holders.pop(delivery, None)
        if in_flight is None:
            return
        if error is None:
            in_flight.acknowledge(delivery)
        else:
            LOG.info("a message of %s is delivered again: %s", self._topic, error)
            await in_flight.give_back(delivery)

    async def _read(self) -> None:
        while True:
            self._line.is_cut()
            try:
                is_new = self._settings.provision and not await self._is_routed(assumed=False)
                queue = await self._queue()
                LOG.info("%s is read from queue %s", self._topic, queue.name)
                await self._read_queue(queue, self._keep_routed(is_new=is_new))
                LOG.warning("queue %s is gone and is made again", queue.name)
            except Exception:  # noqa: BLE001 - for any error: a stream that ends is never opened again
                LOG.exception("reading %s failed in a way that was not foreseen; it begins again", self._topic)
                await asyncio.sleep(pause(3))

    async def _read_former(self) -> None:
        """Deliver the messages that an earlier version left in a queue of another name, until that queue is deleted."""
        try:
            if self._settings.provision:
                await self._drain_former()
        except Exception:  # noqa: BLE001 - it must not end the stream
            LOG.exception("what an earlier version left of %s is not read before the next start", self._topic)

    async def _drain_former(self) -> None:
        what = f"looking for what an earlier version left of {self._topic}"
        queue = await patiently(what, lambda: former_queue(self._aws, self._settings, self._topic))
        if queue is None:
            return
        await self._queue()  # first the new rule fills the new queue, then the former rule stops
        LOG.info("queue %s of an earlier version is read until it is deleted; it is filled no more", queue.name)
        try:
            await silence_former_rule(self._aws, self._settings, self._topic)
        except AWS_FAILURES as error:
            LOG.warning("the rule of queue %s still fills it: %s", queue.name, explain(error))
        await self._read_queue(queue)

    async def _queue(self) -> Queue:
        return await patiently(f"preparing to hear {self._topic}", self._make)

    async def _make(self) -> Queue:
        try:
            return await ensure_subscription(self._aws, self._settings, self._topic, self._pattern)
        except AWS_FAILURES as error:
            self._line.why = explain(error)
            raise

    async def _keep_routed(self, *, is_new: bool) -> None:
        """Check that the rule fills the queue, and make it again if it is gone. Runs until it is cancelled."""
        while True:
            if is_new and not self._pattern:
                await self._probe.until_it_arrives()
                await self._probe.put_again(self._line.overtaken_by)
            self._line.overtaken_by = ()
            self._line.is_routed()
            if not self._settings.provision:
                return
            doubted = await self._line.until_doubted(_LOOKS_EVERY)
            is_new = not await self._is_routed(assumed=not doubted)
            if is_new:
                self._line.is_cut()
                LOG.warning("the rule that fills the queue of %s is gone and is made again", self._topic)
                await self._queue()

    async def _is_routed(self, *, assumed: bool) -> bool:
        """Ask AWS whether the rule fills the queue; return `assumed` if the policy forbids the question."""

        async def once() -> bool:
            try:
                return await is_routed(self._aws, self._settings, self._topic)
            except AWS_FAILURES as error:
                if not code_of(error).startswith("AccessDenied"):
                    raise
                LOG.info("whether the rule of %s is there was not seen: %s", self._topic, explain(error))
                return assumed

        return await patiently(f"looking for the rule of {self._topic}", once)

    async def _read_queue(self, queue: Queue, beside: Coroutine[Any, Any, None] | None = None) -> None:
        """Read until the queue is gone, or the task is cancelled; run `beside` during that time."""
        in_flight = InFlight(self._aws, queue.url, self._settings.visibility_timeout, self._settings.max_in_flight)
        # Both at once: reads without deletes would deliver every message again and again.
        async with asyncio.TaskGroup() as together:
            helping = [together.create_task(task) for task in (in_flight.keep(), beside) if task]
            deleting = together.create_task(in_flight.delete())
            gone = False
            try:
                await self._take(queue, in_flight)
                gone = True
            finally:
                for task in helping:
                    task.cancel()
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
                if self._probe.arrives(message.body):
                    in_flight.acknowledge(delivery)
                    continue
                self._holders[delivery] = in_flight
                self._ready.put_nowait(_delivery(delivery, message))

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


def _delivery(name: str, message: Taken) -> Delivery:
    received = unwrap(message.body)
    more = {"messageId": message.message_id, "receiveCount": str(message.receives)}
    return Delivery(name, received.data, received.content_type, {**received.metadata, **more})
