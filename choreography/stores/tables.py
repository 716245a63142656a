"""The three tables of a service, and which record is in which table.

Entities are changed again and again, outcomes are written once, and notes come and go. So each has its own table, for
which the database can be tuned separately. All three have the same columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from choreography.contracts import LIBRARY_KINDS
from choreography.engine.identity import OUTCOME, Key
from choreography.engine.operations import ANY_ETAG, Write

ENTITIES: Final = "entity_records"
OUTCOMES: Final = "outcome_records"
NOTES: Final = "note_records"
TABLES: Final = (ENTITIES, OUTCOMES, NOTES)


def table_of(key: Key) -> str:
    """Return the table of a record."""
    if key.kind == OUTCOME:
        return OUTCOMES
    return NOTES if key.kind in LIBRARY_KINDS else ENTITIES


class Does(StrEnum):
    """The change that a write makes to a row."""

    BEGIN = "begin"
    """Write a row unless it exists."""
    CHANGE = "change"
    """Overwrite the version that was read."""
    PUT = "put"
    """Overwrite any version."""
    STRIKE = "strike"
    """Delete the version that was read."""
    DROP = "drop"
    """Delete any version."""


class TablePart(NamedTuple):
    """All writes of a transaction that make the same change in one table."""

    table: str
    does: Does


def part_of(write: Write) -> TablePart:
    """Return the table and the kind of change of a write."""
    if write.value is None:
        does = Does.DROP if write.etag == ANY_ETAG else Does.STRIKE
    elif write.etag is None:
        does = Does.BEGIN
    else:
        does = Does.PUT if write.etag == ANY_ETAG else Does.CHANGE
    return TablePart(table_of(write.key), does)


def in_parts(writes: Iterable[Write]) -> Mapping[TablePart, Sequence[Write]]:
    """Sort the writes of a transaction by their keys, so that two replicas take locks in the same order."""
    parts: dict[TablePart, list[Write]] = {}
    for write in sorted(writes, key=lambda one: one.key):
        parts.setdefault(part_of(write), []).append(write)
    return dict(sorted(parts.items()))


def may_exist(key: Key, *, nul: bool = True) -> bool:
    """Tell whether a database can hold this id: it accepts no surrogates in texts, and perhaps no NUL."""
    halves = any("\ud800" <= one <= "\udfff" for one in key.logical_id) if not key.logical_id.isascii() else False
    return not halves and (nul or "\x00" not in key.logical_id)


def named(key: Key) -> str:
    """Return a key in a form for people."""
    return f"{key.kind}/{key.logical_id}"
