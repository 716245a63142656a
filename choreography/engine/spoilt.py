"""Reading records that may be spoilt. A spoilt record affects only the events that need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from choreography.engine.identity import Key

Kept = TypeVar("Kept")
Read = TypeVar("Read")


class UnreadableRecordError(Exception):
    """The value stored under a key is no valid record."""

    def __init__(self, key: Key, problem: str) -> None:
        super().__init__(f"The {key.kind} {key.logical_id!r} in the store (key {key}) cannot be read: {problem}.")


def read_kept(key: Key, decode: Callable[[Kept], Read], kept: Kept) -> Read:
    """Read the record that is stored under a key.

    Raises:
        UnreadableRecordError: the value is no valid record.
    """
    try:
        return decode(kept)
    except Exception as error:
        raise UnreadableRecordError(key, f"{type(error).__name__}: {error}") from error
