"""Makes everything that must exist before an event is put on the bus: the bus, and its consumers' rules and queues.

EventBridge discards an event that no rule matches, and a sidecar reports that it has subscribed before this process
knows the topic. So a publish waits for the subscriptions of the same app that are being made. A publish may even
overtake the subscription that the sidecar began before it. So events of the last moment are put again, for the new rule
only.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from .aws import LOG, Aws
from .errors import ComponentError
from .queues import ensure_bus, ensure_subscription, is_routed
from .settings import Settings

_NAMED_WITHIN: Final = 1.0
_MADE_WITHIN: Final = 10.0
_BUS_IS_BELIEVED: Final = 30.0
"""Seconds for which a bus that was there counts as there: not every refusal of AWS says that it was deleted."""

_MAY_OVERTAKE: Final = 1.0
"""Seconds by which a publish may be handled before the subscription that the sidecar asked for earlier."""

_REMEMBERED: Final = 50


class NotHeardError(ComponentError):
    """The subscription of this app does not exist yet, and would miss an event."""


class Line:
    """One stream to the sidecar: its topic, and whether events would reach its queue.

    Attributes:
        topic: its topic; "" until its first message has named it.
        pattern: the event pattern that it consumes instead of the events of Dapr apps; "" is none.
        overtaken_by: the entries that were put on the bus for it just before its topic was known.
        why: AWS's last error about it; "" is none.
    """

    def __init__(self, routes: Routes) -> None:
        self.topic, self.pattern, self.why = "", "", ""
        self.overtaken_by: Sequence[Mapping[str, str]] = ()
        self._routes = routes
        self._named, self._routed, self._doubted = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def hears(self, topic: str, pattern: str) -> None:
        """Set its topic and its pattern."""
        self.topic, self.pattern = topic, pattern
        self.overtaken_by = self._routes.just_put(topic)
        self._named.set()

    def is_routed(self) -> None:
        """Record that published events reach its queue from now on."""
        self.why = ""
        self._routed.set()

    def is_cut(self) -> None:
        """Record that its queue or its rule is gone: events published now would be lost."""
        self._routed.clear()

    def is_doubted(self) -> None:
        """Record that its rule must be gone, because its bus is gone."""
        self._routed.clear()
        self._doubted.set()

    def ends(self) -> None:
        """Record that the stream has ended, so no publisher waits for it any more."""
        self._named.set()
        self._routed.set()

    async def until_doubted(self, within: float) -> bool:
        """Wait until a doubt arises whether the rule exists. False: none arose in that time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._doubted.wait()
        doubted = self._doubted.is_set()
        self._doubted.clear()
        return doubted

    def is_awaited(self, topics: Collection[str]) -> bool:
        """Whether a publish to these topics must wait for it."""
        return not self._named.is_set() or (self.topic in topics and not self._routed.is_set())

    async def until_routed(self, topics: Collection[str]) -> None:
        """Wait until it is routed, if it consumes one of these topics."""
        if not self._named.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_NAMED_WITHIN):
                    await self._named.wait()
        if self.topic in topics:
            await self._routed.wait()


class Routes:
    """The routes from one bus to its consumers."""

    def __init__(self, aws: Aws, settings: Settings) -> None:
        self._aws, self._settings = aws, settings
        self._lines: list[Line] = []
        self._reached: set[str] = set()
        self._bus_was_seen = -_BUS_IS_BELIEVED
        self._making = asyncio.Lock()
        self._just_put: deque[tuple[float, Mapping[str, str]]] = deque(maxlen=_REMEMBERED)

    @contextmanager
    def line(self) -> Iterator[Line]:
        """Register a stream, for as long as the block lasts."""
        line = Line(self)
        self._lines.append(line)
        try:
            yield line
        finally:
            self._lines.remove(line)
            line.ends()

    @property
    def open_lines(self) -> Sequence[Line]:
        """The streams that are open now."""
        return tuple(self._lines)

    async def ready(self, topics: Collection[str]) -> None:
        """Return as soon as events of these topics reach every consumer that this component knows.

        Raises:
            AWS_FAILURES: AWS refused or did not answer.
            NotHeardError: this app subscribes to one of them, and its rule or queue cannot be made in time.
        """
        if self._settings.provision and self._is_unmade(topics):
            async with self._making:
                await self._make(topics)
        await self._until_own_are_routed(topics)

    def are_put(self, entries: Sequence[Mapping[str, str]]) -> None:
        """Record for a moment the entries that are put on the bus now."""
        now = time.monotonic()
        while self._just_put and self._just_put[0][0] < now - _MAY_OVERTAKE:
            self._just_put.popleft()
        self._just_put.extend((now, entry) for entry in entries)

    def just_put(self, topic: str) -> Sequence[Mapping[str, str]]:
        """Return the entries that were put on the bus for a topic during the last moment."""
        since = time.monotonic() - _MAY_OVERTAKE
        return [entry for when, entry in self._just_put if when >= since and entry["DetailType"] == topic]

    def lost(self) -> None:
        """The bus is gone, with all its rules: make them again before the next event is put."""
        if not self._settings.provision:
            return
        self._bus_was_seen = -_BUS_IS_BELIEVED
        self._reached.clear()
        for line in self._lines:
            line.is_doubted()

    def _is_unmade(self, topics: Collection[str]) -> bool:
        return self._bus_is_doubted() or (self._settings.provision_subscribers and not self._reached.issuperset(topics))

    def _bus_is_doubted(self) -> bool:
        return time.monotonic() - self._bus_was_seen > _BUS_IS_BELIEVED

    async def _make(self, topics: Collection[str]) -> None:
        if self._bus_is_doubted():
            if await ensure_bus(self._aws, self._settings):
                self.lost()
            self._bus_was_seen = time.monotonic()
        if not self._settings.provision_subscribers:
            return
        for topic in topics:
            if topic not in self._reached:
                await self._reach(topic)
                self._reached.add(topic)

    async def _reach(self, topic: str) -> None:
        """Make the missing parts for every app that may consume a topic; existing parts stay as that app made them."""
        for app, heard in self._settings.scopes.items():
            if topic not in heard or (app == self._settings.consumer and self._hears(topic)):
                continue
            theirs = self._settings.of(app)
            if not await is_routed(self._aws, theirs, topic):
                queue = await ensure_subscription(self._aws, theirs, topic)
                LOG.info("queue %s was made for %s, which may hear %s", queue.name, app, topic)

    def _hears(self, topic: str) -> bool:
        return any(line.topic == topic for line in self._lines)

    async def _until_own_are_routed(self, topics: Collection[str]) -> None:
        waited = set[Line]()
        # Search again after each one, because another stream may have been opened meanwhile.
        while line := next((one for one in self._lines if one not in waited and one.is_awaited(topics)), None):
            waited.add(line)
            try:
                async with asyncio.timeout(_MADE_WITHIN):
                    await line.until_routed(topics)
            except TimeoutError as error:
                why = f" {line.why}" if line.why else ""
                raise NotHeardError(
                    f"{self._settings.consumer} subscribes to {line.topic}, and its rule and queue cannot be made yet, "
                    f"so it would miss the event.{why} Publish again."
                ) from error
