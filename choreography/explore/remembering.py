"""A world that remembers the parts that a property read, so that the property can be judged again elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from choreography.explore.properties import Property
from choreography.explore.world import Interruption, Part, World

Texts = Mapping[Part, tuple[str, ...]]
"""What was looked at, and what stood there."""


class _OtherPartError(Interruption):
    """A property reads another part than before, though all that it had read was the same."""


class _Remembered:
    """The source of a remembered world."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def read(self, part: Part) -> tuple[str, ...]:
        """Return one part as texts."""
        if part not in self._texts:
            raise _OtherPartError(" ".join(part))
        return self._texts[part]


def judged_again(prop: Property, texts: Texts, flows: tuple[str, ...], flow: str) -> str:
    """Return the verdict of a property on the remembered parts, in words."""
    try:
        return str(prop.holds(World(_Remembered(texts), flows), flow))
    except _OtherPartError as other:
        return f"it looked at {other}"
