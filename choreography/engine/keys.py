"""The owner of an Idempotency-Key, and when a key is too weak to belong to one caller."""

from __future__ import annotations

from typing import Final

from choreography.errors import WeakKeyError

ANONYMOUS: Final = "anonymous"
"""The caller of a request that names no caller. All such requests share this caller."""

_SHORTEST: Final = 16
_SHORTEST_NUMBER: Final = 20
"""Digits. A clock that counts nanoseconds has 19."""
_FEWEST_CHARACTERS: Final = 6
_FEWEST_STEPS: Final = 4
"""Different distances between neighbouring characters: a sequence has one or two, random hex nearly always more."""


def require_own_key(caller: str, key: str) -> None:
    """Refuse a key that another anonymous caller could also send: the requests of two people would become one event.

    A caller with a name shares its keys with no other caller, so its keys may have any length.

    Raises:
        WeakKeyError: the caller is anonymous, and the key is short, a counter, a clock or a pattern.
    """
    if caller == ANONYMOUS and _is_weak(key):
        raise WeakKeyError(
            f"The Idempotency-Key {key!r} is too weak for a caller without a name: somebody else could send the same "
            "key, and the two requests would be taken for one. Use a random key of at least 16 characters that is no "
            "counter, clock or pattern, such as a new UUID for each request, or leave the key out and repeat the "
            "request with the one in the answer."
        )


def _is_weak(key: str) -> bool:
    codes = key.encode()
    return (
        len(key) < (_SHORTEST_NUMBER if key.isdecimal() else _SHORTEST)
        or len(set(codes)) < _FEWEST_CHARACTERS
        or len(set(map(int.__sub__, codes[1:], codes))) < _FEWEST_STEPS
    )
