"""What the driver asks of a store, whichever it is."""

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
    """What a store says about the time.

    Attributes:
        at: its moment, while it was asked.
        within: how far that may be from the truth because of the way in which it is told.
    """

    at: datetime
    within: timedelta = timedelta(0)


class Store(Protocol):
    """The records of one service.

    Attributes:
        snapshot_reads: a read is one snapshot, so what it does not show is not there.
        unsafe: what to say when a probe shows that it cannot keep the guarantee: which store can.
    """

    snapshot_reads: bool
    unsafe: str

    async def read(self, keys: Sequence[Key], trace: str = "") -> Values:
        """Read keys. A key that could not be read is named as such."""
        ...

    async def confirm(self, key: Key, trace: str = "") -> Stored | Unknown | None:
        """Read one key by itself: its value, None if there is none, or Unknown."""
        ...

    async def commit(self, writes: Sequence[Write], trace: str = "", beside: Beside | None = None) -> CommitResult:
        """Write all of it or nothing, with what is done beside it, and sort the answer by what it proves."""
        ...

    async def page(self, asked: ListRequest, trace: str = "") -> Sequence[Row] | Unknown:
        """Read a page of a list, and one entity more if there is one."""
        ...

    async def clock(self, probe: Key) -> Clock | None:
        """Return the time by the clock of the store, which may write under ``probe``; None if it does not tell."""
        ...

    async def check(self) -> None:
        """Wait until the store answers.

        Raises:
            SelfCheckError: it is set up so that it would lose what was committed, or is no store of this release.
        """
        ...

    async def clean(self, table: str, most: int) -> int:
        """Delete at most so many records of a table whose time is over; return how many there were."""
        ...

    async def overdue(self) -> float:
        """Return for how many seconds the oldest record is past its time; 0 if none is."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def words_of(error: BaseException) -> str:
    """Return an error as the detail of an answer: its kind, and what it says."""
    return f"{type(error).__name__}: {error}"
