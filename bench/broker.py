"""The broker's view: when everything has been handled, and when each event came. Read rarely, and in bulk."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from redis.asyncio import Redis

from choreography.flow import services_of
from choreography.topics import TopicNaming, prefix_of

TOPICS: Final = {"order": "orders", "inventory": "stock", "billing": "payments", "shipping": "shipments"}
"""The topics of the systems beside ours, by who publishes there: one for each service."""

_OURS: Final = {event.wire_type: event for service in services_of("apps.checkout") for event in service.publishes}
_NAMES: Final = TopicNaming(prefix_of("apps.checkout"))

_PAGE: Final = 5000
_LOOK_EVERY: Final = 0.025
_ORDER_ID: Final = re.compile(rb'order_id\\?"\s*:\s*\\?"([^"\\]+)')
_TYPE: Final = re.compile(rb"[a-z]+\.[a-z-]+\.v1")


Elsewhere = Callable[[], Awaitable[bool]]
"""Tells whether nothing is on its way to the broker from somewhere else."""


class UnfinishedError(Exception):
    """Orders are still under way although they should long have ended."""


class Broker:
    """The streams of one run: in our system one for each family of events, in the others one for each service."""

    def __init__(self, port: int, more: tuple[str, ...] = (), elsewhere: Elsewhere | None = None) -> None:
        self._redis: Any = Redis(host="127.0.0.1", port=port, protocol=2)
        ours = {_NAMES.on_broker(event.topic) for event in _OURS.values()}
        self._streams = (*TOPICS.values(), *sorted(ours), *more)
        self._elsewhere = elsewhere

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def quiet(self) -> bool:
        """Tell whether every group has received and acknowledged every entry.

        Then nothing is under way: each of these systems acknowledges an event only after the events that follow from it
        are published, or are written to an outbox. In the latter case the outbox must be empty, and nothing may have
        come from it since the streams were read.
        """
        handled = await self._handled()
        if handled is None or self._elsewhere is None:
            return handled is not None
        return await self._elsewhere() and await self._handled() == handled

    async def _handled(self) -> tuple[bytes, ...] | None:
        """Return the last entry of each stream, if all are handled."""
        asked = self._redis.pipeline(transaction=False)
        for stream in self._streams:
            asked.xinfo_stream(stream)
            asked.xinfo_groups(stream)
        answers = await asked.execute(raise_on_error=False)
        last = []
        for told, groups in zip(answers[::2], answers[1::2], strict=True):
            if isinstance(told, Exception):
                continue
            last.append(told["last-generated-id"])
            if any(group["pending"] or group["last-delivered-id"] != last[-1] for group in groups):
                return None
        return tuple(last)

    async def until_quiet(self, within: float) -> float:
        """Wait until nothing is under way, and return the time of that, on the monotonic clock.

        Raises:
            UnfinishedError: it takes longer than the given time.
        """
        end = time.monotonic() + within
        while not await self.quiet():
            if time.monotonic() > end:
                raise UnfinishedError(f"After {within:.0f} s events are still under way: {await self._backlog()}.")
            await asyncio.sleep(_LOOK_EVERY)
        # It became quiet at some moment since the last check.
        return time.monotonic() - _LOOK_EVERY / 2

    async def arrivals(self, wire_type: str, since: float = 0) -> dict[str, float]:
        """Return when the first event of a type came for each order after a moment, in seconds since the epoch.

        An entry's id holds the broker's own time, so no observer has to run during the measurement.
        """
        came: dict[str, float] = {}
        async for identity, order_id in self._events(wire_type, since):
            if order_id not in came:
                # An id counts whole milliseconds, so the event came half a millisecond later on average.
                came[order_id] = (int(identity.split(b"-")[0]) + 0.5) / 1000
        return came

    async def count(self, wire_type: str) -> dict[str, int]:
        """Return how many events of a type there are for each order."""
        counted: dict[str, int] = {}
        async for _, order_id in self._events(wire_type):
            counted[order_id] = counted.get(order_id, 0) + 1
        return counted

    async def waiting_for_a_person(self) -> int:
        """Count the quarantined events."""
        found = 0
        async for name in self._redis.scan_iter(_type="stream"):
            if name.endswith((b"-dead-letters", b"-undelivered")):
                found += await self._redis.xlen(name)
        return found

    async def _events(self, wire_type: str, since: float = 0) -> AsyncIterator[tuple[bytes, str]]:
        """Yield the events of a type, from the stream that the system of this run uses."""
        event = _OURS[wire_type]
        for topic in (_NAMES.on_broker(event.topic), TOPICS[event.owned_by]):
            async for identity, kind, order_id in self._entries(topic, since):
                if kind == wire_type:
                    yield identity, order_id

    async def _entries(self, topic: str, since: float) -> AsyncIterator[tuple[bytes, str, str]]:
        start = str(int(1000 * since))
        while page := await self._redis.xrange(topic, start, "+", count=_PAGE):
            for identity, fields in page:
                text = b" ".join(fields.values())
                kind, order_id = _TYPE.search(text), _ORDER_ID.search(text)
                if kind and order_id:
                    yield identity, kind.group().decode(), order_id.group(1).decode()
            start = "(" + page[-1][0].decode()

    async def _backlog(self) -> str:
        parts = []
        for stream in self._streams:
            for group in await self._redis.xinfo_groups(stream):
                name = group["name"].decode()
                parts.append(f"{stream} for {name}: {group['pending']} pending, {group['lag']} unread")
        return "; ".join(parts)
