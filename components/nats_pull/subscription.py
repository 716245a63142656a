"""One subscription: pulls while its stream is open, however often NATS is away meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from nats.aio.msg import Msg

from components.nats_pull.connection import Nats, patiently
from components.nats_pull.deadletters import DeadLetters
from components.nats_pull.errors import NATS_FAILURES, explain
from components.nats_pull.inhand import InHand, Taken
from components.nats_pull.names import consumer_name, stream_name
from components.nats_pull.publishing import MOST_BYTES
from components.nats_pull.pulling import Pull
from components.nats_pull.settings import Settings
from components.nats_pull.streams import ensure_consumer, ensure_stream
from components.pluggable import packing
from components.pluggable.errors import ComponentError
from components.pluggable.log import LOG
from components.pluggable.messages import Delivery
from components.pluggable.patience import pause

_CLOSING_WITHIN: Final = 5.0
_GATHERS: Final = 0.001
"""Seconds for which a pack that is not full waits for what just arrives, as subscriptions to other brokers do."""

_LONGEST_EXPONENT: Final = 16


class Subscription:
    """The subscription of one consumer to one topic.

    Deliveries are at least once: a message is acknowledged after its handling. A message that is not acknowledged when
    the stream ends, or when this process dies, is delivered again.
    """

    def __init__(self, nats: Nats, settings: Settings, topic: str, pack: int, running: asyncio.Event) -> None:
        """Describe the subscription; nothing is pulled before `deliveries` runs.

        Args:
            nats: the connection.
            settings: the settings of the component.
            topic: the topic to consume.
            pack: the most messages in one delivery.
            running: not set while the sidecar wants no new messages.
        """
        self._nats, self._settings, self._topic, self._pack, self._running = nats, settings, topic, pack, running
        self._dead = DeadLetters(nats, settings)
        self._in_hand = InHand(nats, max(settings.max_in_flight, 2 * pack if pack > 1 else 1))
        self._ids = itertools.count(1)
        self._ready: deque[Taken] = deque()
        self._is_ready = asyncio.Event()
        self._delivered: dict[str, Sequence[Taken]] = {}
        self._answered = asyncio.Event()
        self._answered.set()

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Yield deliveries, until the caller closes the iterator. A pack waits until the previous pack was answered."""
        reading = asyncio.create_task(self._read(), name=f"read {self._topic}")
        try:
            while True:
                await self._answered.wait()
                await self._is_ready.wait()
                await self._running.wait()
                if len(self._ready) < self._pack:
                    await asyncio.sleep(_GATHERS)
                delivery = self._next()
                if self._pack > 1:
                    self._answered.clear()
                yield delivery
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await self._in_hand.close(_CLOSING_WITHIN)

    async def answered(self, delivery: str, error: str | None) -> None:
        """Process the sidecar's answer to a delivery: None is an acknowledgement."""
        messages = self._delivered.pop(delivery, ())
        self._answered.set()
        if error is None:
            await self._in_hand.acknowledge(one.sequence for one in messages)
            return
        if messages:
            LOG.info("%d messages of %s are delivered again: %s", len(messages), self._topic, error)
        for one in messages:
            await self._failed(one, error)

    def _next(self) -> Delivery:
        """Make a delivery of the messages that are ready, as large as allowed."""
        messages, size = [self._ready.popleft()], 0
        while self._ready and len(messages) < self._pack:
            size += len(messages[-1].data)
            if size + len(self._ready[0].data) > packing.MOST_BYTES:
                break
            messages.append(self._ready.popleft())
        if not self._ready:
            self._is_ready.clear()
        name = str(next(self._ids))
        self._delivered[name] = messages
        deliveries = [_delivery(name, one) for one in messages]
        return deliveries[0] if len(deliveries) == 1 else packing.packed(name, deliveries)

    async def _read(self) -> None:
        told = ""
        while True:
            try:
                ack_wait = await patiently(f"preparing to hear {self._topic}", self._prepared)
                LOG.info("%s is pulled from consumer %s", self._topic, self._consumer)
                told = ""
                await self._pull(ack_wait)
            except ComponentError as error:
                if str(error) != told:
                    LOG.error("%s is not heard: %s", self._topic, error)
                    told = str(error)
                await asyncio.sleep(pause(4))
            except NATS_FAILURES as error:
                LOG.warning("pulling %s is begun again: %s", self._topic, explain(error))
                await asyncio.sleep(pause(0))
            except Exception:  # noqa: BLE001 - for any error: a stream that ends is never opened again
                LOG.exception("pulling %s failed in a way that was not foreseen; it begins again", self._topic)
                await asyncio.sleep(pause(3))

    @property
    def _consumer(self) -> str:
        return consumer_name(self._settings.consumer, self._topic)

    async def _prepared(self) -> float:
        await ensure_stream(self._nats, self._settings, self._topic)
        found = await ensure_consumer(self._nats, self._settings, self._topic)
        await self._dead.prepare()
        return found.ack_wait

    async def _pull(self, ack_wait: float) -> None:
        subject = f"{self._nats.api}.CONSUMER.MSG.NEXT.{stream_name(self._topic)}.{self._consumer}"
        keeping = asyncio.create_task(self._in_hand.keep(ack_wait))
        try:
            await Pull(self._nats, subject, self._in_hand, self._running).run(self._take)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _take(self, message: Msg) -> None:
        taken = Taken.of(message)
        if not self._in_hand.take(taken):
            return
        if self._dead.is_due(taken.deliveries - 1):
            # The message was never answered: its handler died each time.
            await self._failed(taken, "it was not answered")
        elif len(taken.data) > MOST_BYTES:
            LOG.error(
                "message %d of %s has %d bytes, and a sidecar takes %d at most. It stays in the stream",
                *(taken.sequence, self._topic, len(taken.data), MOST_BYTES),
            )
            await self._failed(taken, "it is too large for a sidecar")
        else:
            self._ready.append(taken)
            self._is_ready.set()

    async def _failed(self, one: Taken, why: str) -> None:
        if self._dead.is_due(one.deliveries) and await self._dead.take(self._topic, one, why):
            await self._in_hand.give_up(one.sequence)
            return
        # The pause grows with each failure, because Dapr's own retries come before this one.
        later = min(2 ** min(one.deliveries - 1, _LONGEST_EXPONENT), self._settings.ack_wait)
        await self._in_hand.give_back(one.sequence, later)


def _delivery(name: str, one: Taken) -> Delivery:
    told = {"__timestamp": str(one.at), "sequence": str(one.sequence), "deliveryCount": str(one.deliveries)}
    return Delivery(name, one.data, "", told)
