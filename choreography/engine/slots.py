"""Slots: commands that one replica accepts within a few seconds share one reminder.

The job of a slot is scheduled with its first group of commands and holds their events. Each later group is listed in a
row of its own, written in the transaction that records its commands. The rows of a slot are numbered without a gap, as
a slot ends with the first transaction that the store did not confirm. So a reader that reads rows up to the first
missing one has read all of them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from choreography.engine.identity import Key
from choreography.engine.operations import Confirm, Operation, OperationResult, Read, Stored, Values

PARTS: Final = 10
"""Number of slots within the delay of a reminder: sharing a slot adds at most a tenth to that delay."""
_MOST_COMMANDS: Final = 1000
"""Commands of one slot. One reminder looks for the outcomes of all of them."""
_ROWS_AT_ONCE: Final = 32
_ENDED: Final = datetime.min.replace(tzinfo=UTC)


class ReminderSlots:
    """The slot of one replica to which accepted commands are added now, if there is one.

    Args:
        service: the service that accepts the commands.
        lasts: for how long after its beginning a slot takes commands. If it is zero, each group has its own reminder.
    """

    def __init__(self, service: str, lasts: timedelta) -> None:
        self._service, self._lasts = service, lasts
        self._name, self._until = "", _ENDED
        self._rows, self._commands = 0, 0

    def begin(self, name: str, now: datetime, commands: int) -> None:
        """Begin a slot whose reminder is durable and holds its first group of commands."""
        self._name, self._until = name, now + self._lasts
        self._rows, self._commands = 0, commands

    def row(self, now: datetime, commands: int) -> Key | None:
        """Return the key of the row in which a group may be listed; None if the group needs a reminder of its own."""
        if now >= self._until or self._commands + commands > _MOST_COMMANDS:
            return None
        return row_key(self._service, self._name, self._rows)

    def wrote(self, commands: int) -> None:
        """Note that the store has confirmed the row."""
        self._rows, self._commands = self._rows + 1, self._commands + commands

    def end(self) -> None:
        """End the slot: whether its last row was written is unknown."""
        self._until = _ENDED


@dataclass(slots=True)
class Listed:
    """The rows that were read of a slot.

    Attributes:
        rows: the text of each row, by its key.
        complete: whether the store confirmed that there are no more.
    """

    rows: dict[Key, str] = field(default_factory=dict)
    complete: bool = False


def row_key(service: str, slot: str, number: int) -> Key:
    """Return the key of one row of a slot."""
    return Key(service, "accepted-slot", f"{slot}/{number}")


def read_rows(service: str, slot: str) -> Generator[Operation, OperationResult, Listed]:
    """Read the rows of a slot. The end of the rows counts only if a single get reports it."""
    listed = Listed()
    while True:
        key = row_key(service, slot, len(listed.rows))
        stored = yield Confirm(key)
        if not isinstance(stored, Stored):
            listed.complete = stored is None
            return listed
        listed.rows[key] = stored.value
        keys = tuple(row_key(service, slot, len(listed.rows) + place) for place in range(_ROWS_AT_ONCE))
        read = yield Read(tuple(sorted(keys)))
        listed.rows.update(_without_a_gap(keys, read))


def _without_a_gap(keys: tuple[Key, ...], read: OperationResult) -> Iterator[tuple[Key, str]]:
    for key in keys:
        if not isinstance(read, Values) or key not in read.found:
            return
        yield key, read.found[key].value
