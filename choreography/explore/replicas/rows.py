"""A store as a value: rows under ETags that never repeat, with the misleading responses of a real store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from choreography.contracts import LIBRARY_KINDS
from choreography.engine.identity import OUTCOME, Key
from choreography.engine.operations import ANY_ETAG, Conflict, Stored, Values, Write
from choreography.engine.records import EntityRecord, Outcome, decode_outcome

Rows = tuple[tuple[Key, str, int], ...]
"""Key, value, and how often it was written, sorted by key."""


def shown(rows: Rows, keys: Sequence[Key]) -> Values:
    """Return the rows of a bulk get."""
    return Values({key: Stored(value, f"etag-{count}") for key, value, count in rows if key in keys})


def row(rows: Rows, key: Key) -> Stored | None:
    """Return the row of a single get."""
    return next((Stored(value, f"etag-{count}") for one, value, count in rows if one == key), None)


def written(rows: Rows, writes: Sequence[Write]) -> Rows | Conflict:
    """Write all rows or none: a row with an ETag only if it still has it, a row without one only if it is absent."""
    table = {key: (value, count) for key, value, count in rows}
    for write in writes:
        held = table.get(write.key)
        if write.etag != ANY_ETAG and write.etag != (f"etag-{held[1]}" if held else None):
            return Conflict("possible etag mismatch")
    for write in writes:
        if write.value is None:
            table.pop(write.key, None)
        else:
            table[write.key] = (write.value, table.get(write.key, ("", 0))[1] + 1)
    return tuple(sorted((key, value, count) for key, (value, count) in table.items()))


def outcomes(rows: Rows) -> Iterator[Outcome]:
    """Return every outcome, inside an entity's record or in a row of its own."""
    for key, value, _ in rows:
        if key.kind == OUTCOME:
            yield decode_outcome(value)
        elif key.kind not in LIBRARY_KINDS:
            yield from (Outcome.from_json(raw) for raw in EntityRecord.decode(value).folded.values())
