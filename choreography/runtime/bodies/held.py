"""Entries that wait while a batch is read, and the statuses that answer its entries."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from typing import Final, Self

import orjson

from choreography.engine.delivery import Overlong
from choreography.runtime.bodies.batches import BatchEntry

_IN_MEMORY: Final = 16 * 1024 * 1024
_MOST_ENTRIES: Final = 400
_MOST_BYTES: Final = 4 * 1024 * 1024


class Held:
    """Entries that came before the topic, which the sidecar writes after them.

    They are few, or small, in any batch that the rendered files allow; further entries wait on disk.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed with this

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, entry: BatchEntry) -> bool:
        """Hold one entry; return False if there is no space for it."""
        event = entry.event
        stands = [event.digest, event.size] if isinstance(event, Overlong) else None
        raw = event.beginning if isinstance(event, Overlong) else event
        line = orjson.dumps([entry.entry_id, stands, entry.metadata, entry.problem])
        try:
            self._file.write(line + b"\n" + base64.b64encode(raw) + b"\n")
        except OSError:
            return False
        return True

    def __iter__(self) -> Iterator[BatchEntry]:
        self._file.seek(0)
        while line := self._file.readline():
            entry_id, stands, metadata, problem = orjson.loads(line)
            raw = base64.b64decode(self._file.readline())
            yield BatchEntry(entry_id, Overlong(stands[0], stands[1], raw) if stands else raw, metadata, problem)


class Group:
    """Entries that are settled together, so that only a few megabytes of a batch are in memory at once."""

    def __init__(self) -> None:
        self._entries: list[BatchEntry] = []
        self._bytes = 0

    def add(self, entry: BatchEntry) -> bool:
        """Add one entry; return True if the group is full."""
        self._entries.append(entry)
        self._bytes += len(entry.event.beginning if isinstance(entry.event, Overlong) else entry.event)
        return len(self._entries) >= _MOST_ENTRIES or self._bytes >= _MOST_BYTES

    def take(self) -> list[BatchEntry]:
        """Return the entries and begin the next group."""
        entries, self._entries, self._bytes = self._entries, [], 0
        return entries


class Statuses:
    """The answer to a batch: one status for each entry with an id. Never DROP, which ends the sidecar."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._again: set[str] = set()

    def add(self, entry: BatchEntry, *, done: bool) -> None:
        """Add the status of one entry. Two entries with one id are both done or both redelivered."""
        if entry.entry_id is None:
            return
        self._ids.append(entry.entry_id)
        if not done:
            self._again.add(entry.entry_id)

    def as_json(self) -> list[dict[str, str]]:
        """Return the statuses in the order in which the entries came."""
        return [{"entryId": one, "status": "RETRY" if one in self._again else "SUCCESS"} for one in self._ids]
