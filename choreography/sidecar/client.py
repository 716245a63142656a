"""The sidecar's HTTP API, as far as the engine needs it.

aiohttp and not the Dapr SDK on this path: the SDK cannot express first-write, nor per-entry metadata, and costs ten
times the CPU. Every answer is sorted by what it *proves*, not by its status number.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import orjson

from choreography.engine.envelope import as_moment, as_text
from choreography.engine.identity import Key, derived_id
from choreography.engine.operations import (
    ANY_ETAG,
    NOTHING_FAILED,
    CommitAnswer,
    Committed,
    Conflict,
    Refused,
    Stored,
    Unknown,
    Values,
    Write,
)
from choreography.engine.records import Due, Outgoing
from choreography.engine.slots import PARTS
from choreography.errors import InvalidEventError
from choreography.settings import Settings
from choreography.topics import Naming

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)
_CONFLICTS: Final = ("possible etag mismatch", "no item was updated", "item already exists")
_KEYS_AT_ONCE: Final = 1000
_AGAIN: Final = timedelta(seconds=5)
REMINDERS: Final = "accepted-"
"""How the names of jobs begin that remind of accepted commands."""
_TROUBLE: Final = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


class Sidecar:
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
        self._state = f"/v1.0/state/{settings.store}"
        self.names = Naming(settings.topic_prefix)

    async def close(self) -> None:
        """Close the pool."""
        await self._session.close()

    async def read(self, keys: Sequence[Key], trace: str = "") -> Values:
        """Read keys in bulk. A failed call is a failed read of every key."""
        found: dict[Key, Stored] = {}
        failed: set[Key] = set()
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            part = {str(key): key for key in keys[start : start + _KEYS_AT_ONCE]}
            try:
                status, body = await self._call(
                    "POST", f"{self._state}/bulk", orjson.dumps({"keys": list(part)}), trace
                )
                items = orjson.loads(body) if status == 200 else None
            except (*_TROUBLE, orjson.JSONDecodeError):
                items = None
            if items is None:
                failed.update(part.values())
                continue
            for item in items:
                if item.get("error"):
                    failed.add(part[item["key"]])
                elif item.get("data") is not None:
                    found[part[item["key"]]] = Stored(_text(item["data"]), item.get("etag", ""))
        return Values(found, frozenset(failed))

    async def confirm(self, key: Key, trace: str = "") -> Stored | Unknown | None:
        """Read one key by itself: the value, None if it does not exist, or Unknown."""
        try:
            async with self._session.get(f"{self._state}/{key}", headers=_traced(trace)) as response:
                body = await response.read()
                if response.status == 204 or (response.status == 200 and not body):
                    return None
                if response.status != 200:
                    return Unknown(f"{response.status}: {body[:300].decode(errors='replace')}")
                return Stored(_text(orjson.loads(body)), response.headers.get("etag", ""))
        except (*_TROUBLE, orjson.JSONDecodeError) as error:
            return Unknown(_words(error))

    async def expiry(self, key: Key) -> datetime | None:
        """Return the moment at which the store will forget a key, by its own clock; None if it does not tell."""
        try:
            async with self._session.get(f"{self._state}/{key}") as response:
                await response.read()
                return as_moment(response.headers.get("metadata.ttlExpireTime"))
        except (*_TROUBLE, InvalidEventError):
            return None

    async def commit(self, writes: Iterable[Write], trace: str = "") -> CommitAnswer:
        """Write everything in one transaction and sort the answer by what it proves."""
        body = orjson.dumps({"operations": [_operation(write) for write in writes]})
        try:
            status, answer = await self._call("POST", f"{self._state}/transaction", body, trace)
        except _TROUBLE as error:
            return Unknown(_words(error))
        text = answer[:500].decode(errors="replace")
        if status < 300:
            return Committed()
        if any(words in text for words in _CONFLICTS):
            return Conflict(text)
        if 400 <= status < 500 and status not in (401, 403, 408, 429):
            return Refused(f"{status}: {text}")
        return Unknown(f"{status}: {text}", answered=True)

    async def publish(self, events: Sequence[Outgoing], trace: str = "") -> frozenset[int]:
        """Publish events of one topic. Return the indices of those the broker did not confirm."""
        entries = ",".join(
            f'{{"entryId":"{index}","event":"{base64.b64encode(event.encoded.encode()).decode()}",'
            f'"contentType":"application/octet-stream","metadata":{{"partitionKey":{orjson.dumps(event.key).decode()}}}}}'
            for index, event in enumerate(events)
        )
        # Raw: the sidecar passes the stored envelope on to the byte, and never parses what might break it.
        try:
            status, answer = await self._call("POST", self._bulk(events[0].topic), f"[{entries}]".encode(), trace)
        except _TROUBLE:
            return frozenset(range(len(events)))
        if status < 300:
            return NOTHING_FAILED
        try:
            failed = orjson.loads(answer).get("failedEntries") or []
            return frozenset(int(entry["entryId"]) for entry in failed) or frozenset(range(len(events)))
        except (ValueError, AttributeError, KeyError, TypeError):
            return frozenset(range(len(events)))

    async def may_publish(self, topic: str) -> bool:
        """Tell whether the sidecar would publish to a topic: it has the component, and its scopes allow the topic.

        An empty batch is judged as any other and reaches nobody.
        """
        try:
            status, _ = await self._call("POST", self._bulk(topic), b"[]", "")
        except _TROUBLE:
            return False
        return status < 300

    def _bulk(self, topic: str) -> str:
        """Return the path by which events are published to a topic, in bulk and as they are."""
        topic = self.names.on_broker(topic)
        return f"/v1.0/publish/bulk/{self._settings.pubsub.format(topic=topic)}/{topic}?metadata.rawPayload=true"

    async def schedule(self, dues: Sequence[Due], now: datetime, trace: str = "") -> bool:
        """Schedule deadlines as few jobs, one for those due within the same second. True if all of them are durable."""
        jobs: dict[datetime, list[Due]] = {}
        for due in dues:
            second = max(due.at, now).astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
            jobs.setdefault(second, []).append(due)
        results = await asyncio.gather(*(self._due(at, group, trace) for at, group in jobs.items()))
        return all(results)

    async def remind(self, slot: str, events: Sequence[str], now: datetime, trace: str = "") -> bool:
        """Have the scheduler ask what became of the commands of a slot, until all are settled. True if it is durable.

        It comes no earlier for the last command of the slot than it would for that command alone.
        """
        every = self._settings.reminder
        return await self._job(REMINDERS + slot, now + every + every / PARTS, {"commands": events}, every, trace)

    async def _due(self, at: datetime, dues: Sequence[Due], trace: str) -> bool:
        texts = [due.encoded for due in dues]
        return await self._job(f"due-{derived_id(*texts)}", at, {"events": texts}, _AGAIN, trace)

    async def _job(self, name: str, at: datetime, data: Mapping[str, Any], again: timedelta, trace: str) -> bool:
        job = {
            "dueTime": as_text(at),
            "data": data,
            "overwrite": True,
            # The default gives up after three tries one second apart: a deadline lost to a restart.
            "failurePolicy": {"constant": {"interval": f"{again.total_seconds():g}s"}},
        }
        try:
            status, _ = await self._call("POST", f"/v1.0/jobs/{name}", orjson.dumps(job), trace)
        except _TROUBLE:
            return False
        return status < 300 or status == 409

    async def get(self, path: str) -> tuple[int, Any]:
        """Ask the sidecar about itself. Status 0 means that it did not answer."""
        try:
            async with self._session.get(path) as response:
                body = await response.read()
                return response.status, orjson.loads(body) if body else None
        except (*_TROUBLE, orjson.JSONDecodeError):
            return 0, None

    async def _call(self, method: str, path: str, body: bytes, trace: str) -> tuple[int, bytes]:
        async with self._session.request(method, path, data=body, headers=_traced(trace)) as response:
            return response.status, await response.read()


def _traced(trace: str) -> dict[str, str] | None:
    return {"traceparent": trace} if trace else None


def _operation(write: Write) -> dict[str, Any]:
    request: dict[str, Any] = {"key": str(write.key)}
    if write.value is not None:
        request["value"] = write.value
    if write.etag != ANY_ETAG:
        request["options"] = {"concurrency": "first-write"}
        if write.etag is not None:
            request["etag"] = write.etag
    if write.ttl_seconds is not None:
        request["metadata"] = {"ttlInSeconds": str(write.ttl_seconds)}
    return {"operation": "delete" if write.value is None else "upsert", "request": request}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
