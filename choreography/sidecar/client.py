"""The part of the sidecar's HTTP API that the engine needs.

aiohttp and not the Dapr SDK on this path: the SDK cannot express first-write, nor per-entry metadata, and costs ten
times the CPU. Every answer is classified by what it *proves*, not by its status number.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import aiohttp
import orjson

from choreography.engine.envelope import as_text
from choreography.engine.identity import derived_id
from choreography.engine.operations import NOTHING_FAILED
from choreography.engine.records import Outgoing, ScheduledDeadline
from choreography.engine.slots import PARTS
from choreography.settings import Settings
from choreography.topics import TopicNaming

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)
_AGAIN: Final = timedelta(seconds=5)
REMINDERS: Final = "accepted-"
"""The prefix of the names of jobs that remind of accepted commands."""
TROUBLE: Final = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
"""The exceptions of a call that gets no answer."""


class SidecarResponse(NamedTuple):
    """An answer of the sidecar."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class SidecarClient:
    """One connection pool to one sidecar."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        headers = {"dapr-api-token": settings.sidecar_token} if settings.sidecar_token else {}
        self._session = aiohttp.ClientSession(
            base_url=settings.sidecar,
            headers=headers | {"content-type": "application/json"},
            timeout=_TIMEOUT,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
        )
        self.names = TopicNaming(settings.topic_prefix)

    async def close(self) -> None:
        """Close the pool."""
        await self._session.close()

    async def publish(self, events: Sequence[Outgoing], trace: str = "") -> frozenset[int]:
        """Publish events of one topic. Return the indices of the events that the broker did not confirm."""
        entries = ",".join(
            f'{{"entryId":"{index}","event":"{base64.b64encode(event.encoded.encode()).decode()}",'
            f'"contentType":"application/octet-stream","metadata":{{"partitionKey":{orjson.dumps(event.key).decode()}}}}}'
            for index, event in enumerate(events)
        )
        # Raw: the sidecar passes the stored envelope on unchanged, and never parses it.
        try:
            answered = await self.call("POST", self._bulk(events[0].topic), f"[{entries}]".encode(), trace)
        except TROUBLE:
            return frozenset(range(len(events)))
        if answered.status < 300:
            return NOTHING_FAILED
        try:
            failed = orjson.loads(answered.body).get("failedEntries") or []
            return frozenset(int(entry["entryId"]) for entry in failed) or frozenset(range(len(events)))
        except (ValueError, AttributeError, KeyError, TypeError):
            return frozenset(range(len(events)))

    async def may_publish(self, topic: str) -> bool:
        """Tell whether the sidecar would publish to a topic: it has the component, and its scopes allow the topic.

        The sidecar judges an empty batch like any other, and it reaches no consumer.
        """
        try:
            return (await self.call("POST", self._bulk(topic), b"[]")).status < 300
        except TROUBLE:
            return False

    def _bulk(self, topic: str) -> str:
        """Return the path by which events are published to a topic, in bulk and as they are."""
        topic = self.names.on_broker(topic)
        return f"/v1.0/publish/bulk/{self._settings.pubsub.format(topic=topic)}/{topic}?metadata.rawPayload=true"

    async def schedule(self, deadlines: Sequence[ScheduledDeadline], now: datetime, trace: str = "") -> bool:
        """Schedule deadlines in few jobs, one for all that are due within the same second. True if all are durable."""
        jobs: dict[datetime, list[ScheduledDeadline]] = {}
        for due in deadlines:
            second = max(due.at, now).astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
            jobs.setdefault(second, []).append(due)
        results = await asyncio.gather(*(self._due(at, group, trace) for at, group in jobs.items()))
        return all(results)

    async def remind(self, slot: str, events: Sequence[str], now: datetime, trace: str = "") -> bool:
        """Schedule a reminder of the commands of a slot, until all are settled. Return True if it is durable.

        The reminder does not come earlier for the last command of the slot than a reminder of that command alone.
        """
        every = self._settings.reminder
        return await self._job(REMINDERS + slot, now + every + every / PARTS, {"commands": events}, every, trace)

    async def _due(self, at: datetime, deadlines: Sequence[ScheduledDeadline], trace: str) -> bool:
        texts = [due.encoded for due in deadlines]
        return await self._job(f"due-{derived_id(*texts)}", at, {"events": texts}, _AGAIN, trace)

    async def _job(self, name: str, at: datetime, data: Mapping[str, Any], again: timedelta, trace: str) -> bool:
        job = {
            "dueTime": as_text(at),
            "data": data,
            "overwrite": True,
            # The scheduler's default gives up after three tries one second apart: a restart would lose the deadline.
            "failurePolicy": {"constant": {"interval": f"{again.total_seconds():g}s"}},
        }
        try:
            status = (await self.call("POST", f"/v1.0/jobs/{name}", orjson.dumps(job), trace)).status
        except TROUBLE:
            return False
        return status < 300 or status == 409

    async def get(self, path: str) -> tuple[int, Any]:
        """Ask the sidecar about itself. Status 0 means that it did not answer."""
        try:
            answered = await self.call("GET", path)
            return answered.status, orjson.loads(answered.body) if answered.body else None
        except (*TROUBLE, orjson.JSONDecodeError):
            return 0, None

    async def call(self, method: str, path: str, body: bytes | None = None, trace: str = "") -> SidecarResponse:
        """Make one call and return its answer.

        Raises:
            TROUBLE: the call got no answer.
        """
        headers = {"traceparent": trace} if trace else None
        async with self._session.request(method, path, data=body, headers=headers) as response:
            return SidecarResponse(response.status, await response.read(), response.headers)
