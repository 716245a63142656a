"""A world that remembers what a property looked at, so that it can be judged again: in a moment, or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from choreography.explore.properties import Property
from choreography.explore.world import Interruption, Part, World

Texts = Mapping[Part, tuple[str, ...]]
"""What was looked at, and what stood there."""


class _OtherPartError(Interruption):
    """A property looks at what it did not look at before, though all that it saw was the same."""


class _Remembered:
    """The source of that world."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def read(self, part: Part) -> tuple[str, ...]:
        """Return one part as texts."""
        if part not in self._texts:
            raise _OtherPartError(" ".join(part))
        return self._texts[part]


def judged_again(prop: Property, texts: Texts, flows: tuple[str, ...], flow: str) -> str:
    """Return in words what a property says of all that it looked at."""
    try:
        return str(prop.holds(World(_Remembered(texts), flows), flow))
    except _OtherPartError as other:
        return f"it looked at {other}"
