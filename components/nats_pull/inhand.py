"""The messages that one subscription has taken and not yet acknowledged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from nats.aio.msg import Msg

from components.nats_pull.connection import Nats
from components.nats_pull.errors import NATS_FAILURES
from components.pluggable.log import LOG

MOST_BYTES: Final = 16 * 1024 * 1024
"""Of all messages in hand; one that is larger is taken alone."""

_SETTLES_WITHIN: Final = 0.1

_ACKNOWLEDGED: Final = b"+ACK"
_AT_WORK: Final = b"+WPI"
_GIVEN_UP: Final = b"+TERM"


@dataclass(frozen=True, slots=True)
class Taken:
    """A message of a stream.

    Attributes:
        sequence: its position in the stream.
        reply: the subject of its acknowledgement.
        data: its bytes.
        deliveries: the number of its deliveries, including this one.
        at: the time when the stream stored it, in milliseconds since 1970.
    """

    sequence: int
    reply: str
    data: bytes
    deliveries: int
    at: int

    @classmethod
    def of(cls, message: Msg) -> Taken:
        """Convert a message of the client."""
        told = message.metadata
        moment = round(told.timestamp.timestamp() * 1000)
        return cls(told.sequence.stream, message.reply, message.data, told.num_delivered, moment)


class InHand:
    """Keeps messages from other replicas, until they are acknowledged or given back."""

    def __init__(self, nats: Nats, most: int) -> None:
        self._nats, self._most = nats, most
        self._taken: dict[int, Taken] = {}
        self._bytes = 0
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._taken)

    async def room(self) -> int:
        """Wait until there is room for a fair number of messages, and return this number."""
        while self._room() < max(1, self._most // 4):
            self._changed.clear()
            await self._changed.wait()
        return self._room()

    def take(self, message: Taken) -> bool:
        """Record a message. False: it is in hand already and was only redelivered, as after a lost connection."""
        known = self._taken.get(message.sequence)
        if known is None:
            self._bytes += len(message.data)
        self._taken[message.sequence] = message if known is None else replace(known, reply=message.reply)
        return known is None

    async def acknowledge(self, sequences: Iterable[int]) -> None:
        """Acknowledge handled messages."""
        for sequence in sequences:
            await self._say(self._leave(sequence), _ACKNOWLEDGED)

    async def give_up(self, sequence: int) -> None:
        """Terminate a message, because it is stored elsewhere."""
        await self._say(self._leave(sequence), _GIVEN_UP)

    async def give_back(self, sequence: int, after: float) -> None:
        """Release a message for another delivery after a number of seconds."""
        await self._say(self._leave(sequence), _again(after))

    async def keep(self, ack_wait: float) -> None:
        """Extend the time of the messages in hand, again and again. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(ack_wait / 3)
            for one in list(self._taken.values()):
                await self._say(one, _AT_WORK)

    async def close(self, within: float) -> None:
        """Give all messages back at once, as far as NATS accepts this in time.

        The first message is given back twice: a server (seen with 2.9) may deliver it to the last request of this
        replica, which no longer has a listener, and then hold it until it counts as abandoned.
        """
        left = list(self._taken.values())
        with suppress(*NATS_FAILURES):
            async with asyncio.timeout(within):
                if left:
                    await self._say(left[0], _again(0))
                    await self._nats.client.flush()
                    await asyncio.sleep(_SETTLES_WITHIN)
                for one in left:
                    await self.give_back(one.sequence, 0)
                await self._nats.client.flush()

    def _room(self) -> int:
        return self._most - len(self._taken) if self._bytes < MOST_BYTES else 0

    def _leave(self, sequence: int) -> Taken | None:
        message = self._taken.pop(sequence, None)
        if message:
            self._bytes -= len(message.data)
            self._changed.set()
        return message

    async def _say(self, message: Taken | None, what: bytes) -> None:
        if message is None:
            return
        try:
            await self._nats.client.publish(message.reply, what)
        except NATS_FAILURES as error:
            # Without the answer, the message is redelivered after its timeout.
            LOG.info("message %d was not answered with %s: %s", message.sequence, what.decode(), error)


def _again(after: float) -> bytes:
    return b"-NAK " + json.dumps({"delay": round(after * 1e9)}).encode() if after else b"-NAK"
