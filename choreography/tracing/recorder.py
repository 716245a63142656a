"""Keeps finished spans until they are sent to Zipkin, and never delays the service for that.

A span costs its service only a tuple. A thread encodes the spans of a second at a time as JSON.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import aiohttp
import orjson
import structlog

_MOST_KEPT: Final = 16_384
_MOST_SENT: Final = 2_000
_EVERY: Final = 1.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)

log = structlog.get_logger()


class Finished(NamedTuple):
    """One finished span. Times are in nanoseconds since 1970; the kind of an inner span of a service is empty."""

    kind: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    tags: Mapping[str, str]


class Recorder:
    """Collects the spans of one service."""

    def __init__(self, service: str, endpoint: str) -> None:
        self._endpoint, self._local = endpoint, {"serviceName": service}
        self._kept: deque[Finished] = deque(maxlen=_MOST_KEPT)
        self._complained = False

    def add(self, span: Finished) -> None:
        """Keep a span until it is sent. If spans cannot be sent, the oldest are dropped."""
        self._kept.append(span)

    @property
    def waiting(self) -> int:
        """How many spans are still to be sent."""
        return len(self._kept)

    async def forever(self) -> None:
        """Send the waiting spans once a second; when this is cancelled, send the rest as well."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            try:
                while True:
                    await asyncio.sleep(_EVERY)
                    await self._send_all(session)
            finally:
                await self._send_all(session)

    async def _send_all(self, session: aiohttp.ClientSession) -> None:
        while self._kept:
            spans = [self._kept.popleft() for _ in range(min(len(self._kept), _MOST_SENT))]
            body = await asyncio.to_thread(self._encoded, spans)
            try:
                async with session.post(
                    self._endpoint, data=body, headers={"content-type": "application/json"}
                ) as response:
                    response.raise_for_status()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._complain(len(spans), error)
                return
            self._complained = False

    def _complain(self, count: int, error: Exception) -> None:
        """Log once in an outage that spans are lost; the services work without them."""
        if not self._complained:
            log.warning(
                "spans are lost, as the collector does not take them; is ZIPKIN_ENDPOINT right?",
                lost=count,
                why=f"{type(error).__name__}: {error}",
            )
        self._complained = True

    def _encoded(self, spans: Sequence[Finished]) -> bytes:
        return orjson.dumps([_as_zipkin(span, self._local) for span in spans])


def _as_zipkin(span: Finished, local: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "traceId": span.trace_id,
        "id": span.span_id,
        "name": span.name,
        "timestamp": span.began // 1000,
        "duration": max(1, (span.ended - span.began) // 1000),
        "localEndpoint": local,
        "tags": span.tags,
    }
    if span.kind:
        told["kind"] = span.kind
    if span.parent_id:
        told["parentId"] = span.parent_id
    return told
