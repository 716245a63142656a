"""Reading what the store holds. Somebody may have spoilt it; that is the fate of those who need it, and only theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from choreography.engine.identity import Key

Kept = TypeVar("Kept")
Read = TypeVar("Read")


class UnreadableRecordError(Exception):
    """What the store holds under a key is no record."""

    def __init__(self, key: Key, problem: str) -> None:
        super().__init__(f"The {key.kind} {key.logical_id!r} in the store (key {key}) cannot be read: {problem}.")


def read_kept(key: Key, decode: Callable[[Kept], Read], kept: Kept) -> Read:
    """Read what is kept under a key.

    Raises:
        UnreadableRecordError: it has another shape.
    """
    try:
        return decode(kept)
    except Exception as error:
        raise UnreadableRecordError(key, f"{type(error).__name__}: {error}") from error
