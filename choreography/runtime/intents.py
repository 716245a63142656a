"""The queue between releasing and the effects: committed intents that wait to be carried out.

The code that releases an intent waits for its end, and does not know how it is carried out. The code that carries it
out settles the answer like any other delivery, and does not know who waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from choreography.engine.operations import NOTHING_FAILED
from choreography.engine.records import CommittedIntent


class Handed(NamedTuple):
    """One intent as it was handed over.

    Attributes:
        committed: the committed intent.
        repeated: whether it was released before, so that it may have been answered.
        nudge: the id of the nudge that asks to publish its answer's outcome again, if there is one.
        ended: True once the intent is answered and the answer is settled; False if it must be tried again.
    """

    committed: CommittedIntent
    repeated: bool
    nudge: str
    ended: asyncio.Future[bool]


class Intents:
    """The intents of one service that wait for its effects."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Handed] = asyncio.Queue()

    async def carry_out(self, intents: Sequence[CommittedIntent], *, repeated: bool, nudge: str) -> frozenset[int]:
        """Hand intents over and wait for the end of each. Return the indices of those that must be tried again."""
        loop = asyncio.get_running_loop()
        handed = [Handed(committed, repeated, nudge, loop.create_future()) for committed in intents]
        for one in handed:
            self._waiting.put_nowait(one)
        ended = await asyncio.gather(*(one.ended for one in handed))
        return NOTHING_FAILED if all(ended) else frozenset(index for index, done in enumerate(ended) if not done)

    async def next(self) -> Handed:
        """Wait for the next intent and take it."""
        return await self._waiting.get()

    def close(self) -> None:
        """Cancel all waits, as no effect will carry these intents out. They are committed, so they come again."""
        while not self._waiting.empty():
            self._waiting.get_nowait().ended.cancel()
