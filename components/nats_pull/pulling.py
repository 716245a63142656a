"""Pulls from one consumer: one request is open at a time, for as many messages as there is room for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from components.nats_pull.connection import Nats
from components.nats_pull.errors import NATS_FAILURES
from components.nats_pull.inhand import MOST_BYTES, InHand
from components.pluggable.log import LOG

_EXPIRES: Final = 30.0
_HEARTBEAT: Final = 5.0
_SILENCE: Final = 3 * _HEARTBEAT
"""Seconds without a message or a heartbeat after which a request counts as lost."""

_BETWEEN: Final = 0.2
_CLOSES_WITHIN: Final = 2.0

_BEATS, _EMPTY, _ENDED, _NOBODY = "100", "404", "408", "503"
_GONE: Final = ("consumer deleted", "consumer not found", "stream not found", "consumer is push based")


class Pull:
    """Requests messages from a consumer, and hands over each that arrives."""

    def __init__(self, nats: Nats, subject: str, in_hand: InHand, running: asyncio.Event) -> None:
        """Describe the pull; nothing is requested before `run`.

        Args:
            nats: the connection.
            subject: the subject of the consumer's requests.
            in_hand: knows how much room there is.
            running: not set while the sidecar wants no new messages.
        """
        self._nats, self._subject, self._in_hand, self._running = nats, subject, in_hand, running
        self._came: asyncio.Queue[Msg | None] = asyncio.Queue()

    async def run(self, take: Callable[[Msg], Awaitable[None]]) -> None:
        """Pull until the consumer must be checked again: it may be gone, or the connection is a new one.

        Raises:
            NATS_FAILURES: NATS is away.
        """
        client = self._nats.client
        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox, cb=self._arrived)
        try:
            with self._nats.listening(lambda: self._came.put_nowait(None)):
                await self._ask_and_take(inbox, take)
        finally:
            with suppress(*NATS_FAILURES):
                async with asyncio.timeout(_CLOSES_WITHIN):
                    # Messages on their way still arrive, so that they can be given back at once.
                    await subscription.drain()  # type: ignore[no-untyped-call] # of the library
            while not self._came.empty():
                if (left := self._came.get_nowait()) and JetStreamContext.is_status_msg(left) is None:
                    await take(left)

    async def _arrived(self, message: Msg) -> None:
        self._came.put_nowait(message)

    async def _ask_and_take(self, inbox: str, take: Callable[[Msg], Awaitable[None]]) -> None:
        asked = 0
        while True:
            if asked < 1:
                asked = await self._in_hand.room()
                await self._running.wait()
                await self._nats.client.publish(self._subject, _request(asked), reply=inbox)
            try:
                message = self._came.get_nowait() if not self._came.empty() else await self._within_silence()
            except TimeoutError:
                LOG.info("%s said nothing for %.0f s, and is asked again", self._subject, _SILENCE)
                self._nats.client  # noqa: B018 - raises if it is not connected
                asked = 0
                continue
            if message is None:
                return
            status = JetStreamContext.is_status_msg(message)
            if status is None:
                asked -= 1
                await take(message)
            elif status != _BEATS:
                if _is_gone(status, message):
                    return
                asked = 0
                if status not in (_EMPTY, _ENDED):
                    await asyncio.sleep(_BETWEEN)

    async def _within_silence(self) -> Msg | None:
        async with asyncio.timeout(_SILENCE):
            return await self._came.get()


def _request(count: int) -> bytes:
    wanted = {"batch": count, "expires": round(_EXPIRES * 1e9), "idle_heartbeat": round(_HEARTBEAT * 1e9)}
    return json.dumps({**wanted, "max_bytes": MOST_BYTES}).encode()


def _is_gone(status: str, message: Msg) -> bool:
    said = (message.headers or {}).get("Description", "").lower()
    return status == _NOBODY or any(sign in said for sign in _GONE)
