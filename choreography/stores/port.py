"""The interface of a store for the driver."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from choreography.engine.beside import Beside
from choreography.engine.identity import Key
from choreography.engine.operations import CommitResult, Stored, Unknown, Values, Write
from choreography.listing import ListRequest
from choreography.stores.listed import Row


class Clock(NamedTuple):
    """The time by a store's clock.

    Attributes:
        at: the time that it reported.
        within: the largest error of that time, due to the way of reading it.
    """

    at: datetime
    within: timedelta = timedelta(0)


class Store(Protocol):
    """The records of one service.

    Attributes:
        snapshot_reads: whether a read is one snapshot, so that a key missing from it does not exist.
        unsafe: the advice if a probe shows that it cannot keep the guarantee: which store can.
    """

    snapshot_reads: bool
    unsafe: str

    async def read(self, keys: Sequence[Key], trace: str = "") -> Values:
        """Read keys. The answer names the keys that could not be read."""
        ...

    async def confirm(self, key: Key, trace: str = "") -> Stored | Unknown | None:
        """Read one key by itself: its value, None if there is none, or Unknown."""
        ...

    async def commit(self, writes: Sequence[Write], trace: str = "", beside: Beside | None = None) -> CommitResult:
        """Write everything or nothing, rows and hooks included, and classify the answer by what it proves."""
        ...

    async def page(self, asked: ListRequest, trace: str = "") -> Sequence[Row] | Unknown:
        """Read a page of a list, and one more entity if there is one."""
        ...

    async def clock(self, probe: Key) -> Clock | None:
        """Return the time by the clock of the store, which may write under ``probe``; None if the time is unknown."""
        ...

    async def check(self) -> None:
        """Wait until the store answers.

        Raises:
            SelfCheckError: its settings would lose committed records, or it is no store of this release.
        """
        ...

    async def clean(self, table: str, most: int) -> int:
        """Delete at most so many expired records of a table; return how many there were."""
        ...

    async def overdue(self) -> float:
        """Return how many seconds ago the oldest record expired; 0 if none has expired."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def words_of(error: BaseException) -> str:
    """Return the detail of an answer for an error: its class and its message."""
    return f"{type(error).__name__}: {error}"
