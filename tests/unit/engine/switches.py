"""What tests turn on, and what they count, inside the toy's reactions."""

from __future__ import annotations


class Curse:
    """A switch: while it lasts, a cursed event kills the process."""

    lasts = False


class Lightning(BaseException):
    """The end of a process."""


class Attempts:
    """Counts how often the failing reaction was tried."""

    made = 0
