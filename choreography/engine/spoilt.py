"""Reading what the store holds. Somebody may have spoilt it; that is the fate of those who need it, and only theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Kept = TypeVar("Kept")
Read = TypeVar("Read")


class UnreadableRecordError(Exception):
    """What the store holds under a key is no record."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"The record {key} in the store cannot be read: {problem}.")


def read_kept(key: str, decode: Callable[[Kept], Read], kept: Kept) -> Read:
    """Read what is kept under a key.

    Raises:
        UnreadableRecordError: it has another shape.
    """
    try:
        return decode(kept)
    except Exception as error:
        raise UnreadableRecordError(key, f"{type(error).__name__}: {error}") from error
