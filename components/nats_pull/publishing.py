"""Publishes to streams, and reports for each event whether its stream has it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from typing import Final

from nats.js.api import Header
from nats.js.errors import NoStreamResponseError

from components.nats_pull.connection import Nats
from components.nats_pull.errors import NATS_FAILURES, explain, is_lasting
from components.nats_pull.settings import Settings
from components.nats_pull.streams import ensure_stream
from components.pluggable.errors import ComponentError
from components.pluggable.messages import Failure, Outgoing

MOST_BYTES: Final = 4 * 1024 * 1024 - 64 * 1024
"""Of an event: a sidecar takes no more from a component, and would hear nothing more once it was sent more."""

_AT_ONCE: Final = 256


class Publisher:
    """Publishes for one component file."""

    def __init__(self, nats: Nats, settings: Settings) -> None:
        self._nats, self._settings = nats, settings
        self._fit: set[str] = set()
        self._judging = asyncio.Lock()
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def publish(self, events: Sequence[Outgoing]) -> dict[int, Failure]:
        """Publish events, all at once, and wait until their streams have acknowledged each.

        Returns:
            The position of each event without an acknowledgement, and the reason. NATS may have the event all the same:
            to publish it again is to deliver it at least once.
        """
        unfit = {topic: await self._judged(topic) for topic in {event.topic for event in events}}
        results = await asyncio.gather(*(self._put(event, unfit[event.topic]) for event in events))
        return {place: failure for place, failure in enumerate(results) if failure is not None}

    async def _judged(self, topic: str) -> Failure | None:
        """Return the reason why nothing can be published to a topic; None if it can."""
        if topic in self._fit:
            return None
        async with self._judging:
            try:
                await ensure_stream(self._nats, self._settings, topic)
            except (ComponentError, *NATS_FAILURES) as error:
                why = str(error) if isinstance(error, ComponentError) else explain(error)
                return Failure(why, lasting=False)
        self._fit.add(topic)
        return None

    async def _put(self, event: Outgoing, unfit: Failure | None) -> Failure | None:
        if unfit is not None:
            return unfit
        if len(event.data) > MOST_BYTES:
            return Failure(
                f"The event has {len(event.data)} bytes, and a sidecar takes {MOST_BYTES} at most from a component. "
                "Put what is large elsewhere and publish where it is.",
                lasting=True,
            )
        async with self._free:
            try:
                await self._nats.streams.publish(
                    event.topic, event.data, timeout=self._settings.publish_seconds, headers=headers_of(event)
                )
            except NATS_FAILURES as error:
                if isinstance(error, NoStreamResponseError):
                    self._fit.discard(event.topic)
                return Failure(explain(error), lasting=is_lasting(error))
        return None


def headers_of(event: Outgoing) -> dict[str, str] | None:
    """Return the header by which a stream recognises repeats, if the event has an id.

    It is a digest of the whole event, not its id: two events with one id and different contents must both arrive.
    Without an id, equal bytes may be meant to arrive twice.
    """
    try:
        said = json.loads(event.data)
    except ValueError:
        return None
    if not isinstance(said, dict) or not said.get("id") or "specversion" not in said:
        return None
    return {Header.MSG_ID: hashlib.sha256(event.data).hexdigest()}
