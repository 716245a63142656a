"""Switches and counters that tests use inside the toy's reactions."""

from __future__ import annotations


class Curse:
    """A switch: while it is on, a cursed event kills the process."""

    lasts = False


class Lightning(BaseException):
    """The end of a process."""


class Attempts:
    """Counts the attempts of the failing reaction."""

    made = 0
