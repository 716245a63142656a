"""Publishes with PutEvents, ten events to a call, and reports for each event whether EventBridge has it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from components.pluggable.messages import Failure, Outgoing

from .aws import Aws, pause
from .envelope import wrap
from .errors import AWS_FAILURES, MISSING, code_of, explain
from .routes import NotHeardError, Routes
from .settings import Settings

MOST_ENTRIES: Final = 10
MOST_BYTES: Final = 256 * 1024
"""What one call may carry."""

MOST_BYTES_OF_AN_EVENT: Final = MOST_BYTES - 2048
"""EventBridge puts its own names around an event before it sends it to a queue, which takes no more than it does."""

_ATTEMPTS: Final = 6
_CALLS_AT_ONCE: Final = 8
_TRANSIENT: Final = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "InternalFailure",
        "InternalException",
        "InternalServiceError",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "RequestTimeout",
    }
)


@dataclass(frozen=True, slots=True)
class _Entry:
    place: int
    fields: Mapping[str, str]
    size: int


class Publisher:
    """Publishes to one bus."""

    def __init__(self, aws: Aws, settings: Settings, routes: Routes) -> None:
        self._aws, self._settings, self._routes = aws, settings, routes
        self._free = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def publish(self, events: Sequence[Outgoing]) -> dict[int, Failure]:
        """Publish events, in no order. Throttled and unanswered events are tried again for a few seconds.

        Returns:
            The position of each event that EventBridge did not accept, and the reason. An event without an answer
            counts as not accepted, though EventBridge may have it: to publish it again is to deliver it at least once.
        """
        failures: dict[int, Failure] = {}
        entries = []
        for place, event in enumerate(events):
            entry = self._entry(place, event)
            if entry.size > MOST_BYTES_OF_AN_EVENT:
                why = (
                    f"The event needs {entry.size} bytes and EventBridge takes {MOST_BYTES_OF_AN_EVENT}. "
                    "Put what is large elsewhere and publish where it is."
                )
                failures[place] = Failure(why, lasting=True)
            else:
                entries.append(entry)
        for failed in await asyncio.gather(*(self._put(batch) for batch in batches(entries))):
            failures |= failed
        return failures

    def _entry(self, place: int, event: Outgoing) -> _Entry:
        fields = {
            "EventBusName": self._settings.bus,
            "Source": self._settings.source,
            "DetailType": event.topic,
            "Detail": wrap(event.data, event.content_type),
        }
        # AWS counts in this way: see "Calculating PutEvents event entry size" in its guide.
        counted = ("Source", "DetailType", "Detail")
        return _Entry(place, fields, sum(len(fields[name].encode()) for name in counted))

    async def _put(self, batch: Sequence[_Entry]) -> dict[int, Failure]:
        left, failures = {entry.place: entry for entry in batch}, dict[int, Failure]()
        async with self._free:
            for attempt in range(_ATTEMPTS):
                if attempt:
                    await asyncio.sleep(pause(attempt, longest=2))
                try:
                    failed = await self._attempt(list(left.values()))
                except NotHeardError as error:  # which has waited already
                    return failures | {place: Failure(str(error), lasting=False) for place in left}
                failures |= {place: failure for place, failure in failed.items() if failure.lasting}
                left = {place: left[place] for place, failure in failed.items() if not failure.lasting}
                if not left:
                    return failures
        return failures | failed

    async def _attempt(self, batch: Sequence[_Entry]) -> dict[int, Failure]:
        try:
            await self._routes.ready({entry.fields["DetailType"] for entry in batch})
            entries = [entry.fields for entry in batch]
            self._routes.are_put(entries)
            answer = await self._aws.events.put_events(Entries=entries)
        except AWS_FAILURES as error:
            failure = self._refused(code_of(error), explain(error))
            return {entry.place: failure for entry in batch}
        return {
            entry.place: self._refused(
                code, f"EventBridge did not take the event: {code} {result.get('ErrorMessage', '')}".strip()
            )
            for entry, result in zip(batch, answer["Entries"], strict=True)
            if (code := result.get("ErrorCode"))
        }

    def _refused(self, code: str, why: str) -> Failure:
        """Return how lasting a refusal is. Without a code there was no answer."""
        if code in MISSING:
            if self._settings.provision:
                self._routes.lost()
                return Failure(why, lasting=False)
            why = (
                f"{why} The event bus {self._settings.bus} is not there, and provision is false, so nothing can be "
                "published to it. Make the bus and its rules, or remove the setting."
            )
        return Failure(why, lasting=bool(code) and code not in _TRANSIENT)


def batches(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    """Divide entries into calls, none with more events or more bytes than AWS accepts."""
    batch: list[_Entry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == MOST_ENTRIES or size + entry.size > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch
