"""Probe events for a single queue: by their arrival a subscription sees that its new rule fills the queue.

AWS reports rule, policy and target as made before they work everywhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from .aws import LOG, Aws, patiently, pause
from .errors import AWS_FAILURES, explain
from .names import own_type, subscription_name
from .settings import Settings

_DETAIL: Final = {"daprProbe": True}
_GIVES_UP_AFTER: Final = 60.0
_LONGEST_PAUSE: Final = 2.0


class Probe:
    """Puts probe events on the bus until one of them arrives."""

    def __init__(self, aws: Aws, settings: Settings, topic: str) -> None:
        self._aws, self._settings, self._topic = aws, settings, topic
        self._type = own_type(subscription_name(settings, topic))
        self._arrived = asyncio.Event()

    def arrives(self, body: str) -> bool:
        """Tell whether a message is a probe event of any replica: no app may get it."""
        if self._type not in body:
            return False
        try:
            event = json.loads(body)
        except ValueError:
            return False
        if not isinstance(event, dict) or (event.get("detail-type"), event.get("detail")) != (self._type, _DETAIL):
            return False
        self._arrived.set()
        return True

    async def until_it_arrives(self) -> None:
        """Return when the queue is filled, or after a minute, because a queue may be full of other events."""
        self._arrived.clear()
        try:
            async with asyncio.timeout(_GIVES_UP_AFTER):
                attempt = 0
                while not self._arrived.is_set():
                    await self._probe()
                    try:
                        async with asyncio.timeout(pause(attempt, _LONGEST_PAUSE)):
                            await self._arrived.wait()
                    except TimeoutError:
                        attempt += 1
        except TimeoutError:
            LOG.warning(
                "the queue of %s got none of the events that were put for it within a minute. What is published now "
                "may not arrive: look into the dead letter queue and at the policy of the queue",
                self._topic,
            )

    async def put_again(self, entries: Sequence[Mapping[str, str]]) -> None:
        """Put earlier events on the bus again, for this queue only; other queues have received them."""
        for entry in entries:
            await patiently(
                f"putting an event of {self._topic} again", partial(self._put, {**entry, "DetailType": self._type})
            )

    async def _probe(self) -> None:
        entry = {
            "EventBusName": self._settings.bus,
            "Source": self._settings.source,
            "DetailType": self._type,
            "Detail": json.dumps(_DETAIL),
        }
        try:
            await self._put(entry)
        except AWS_FAILURES as error:
            LOG.info("no event was put for the queue of %s: %s", self._topic, explain(error))

    async def _put(self, entry: Mapping[str, str]) -> None:
        answer = await self._aws.events.put_events(Entries=[entry])
        if answer.get("FailedEntryCount"):
            raise OSError(f"EventBridge did not take the event: {answer['Entries'][0]}")
