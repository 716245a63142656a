"""A state as integers: every fact that can be true of a flow has a bit of its own, every entity a few bits.

A state is one integer for what all flows share and one for each flow. Flows that differ in nothing but their ids have
the same layout, so renaming two of them is exchanging two integers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final

from choreography.explore.properties import ExploreError

_WIDTH: Final = 16


@dataclass(slots=True)
class Mask:
    """The bits of everything of one sort. It grows while the exploration discovers more."""

    value: int = 0


@dataclass(slots=True)
class BitField:
    """Where the state of one entity stands, and which of its states has which number."""

    shift: int
    mask: int
    texts: list[str]
    numbers: dict[str, int]

    def placed(self, text: str) -> int:
        """Return the bits that stand for one state of the entity."""
        number = self.numbers.get(text)
        if number is None:
            number = self.numbers[text] = len(self.texts)
            self.texts.append(text)
            if number >> _WIDTH:
                raise ExploreError(
                    f"One entity has more than {number - 1} different states, among them {text[:80]}; there is no end "
                    "to them. Start with less, or bound what the entity counts."
                )
        return number << self.shift

    def read(self, region: int) -> str:
        """Return the state of the entity, or nothing if there is none."""
        return self.texts[(region & self.mask) >> self.shift]


@dataclass(slots=True)
class StateLayout:
    """The bits of one region.

    Attributes:
        pending: those of what may happen next.
        comes: those of them that stay set: what foreign publishers may say.
    """

    pending: int = 0
    comes: int = 0
    size: int = 0
    bits: dict[Hashable, int] = field(default_factory=dict)
    facts: dict[int, Hashable] = field(default_factory=dict)
    fields: dict[tuple[str, str, str], BitField] = field(default_factory=dict)
    masks: dict[Hashable, Mask] = field(default_factory=dict)
    _tables: dict[tuple[str, str], tuple[list[str], dict[str, int]]] = field(default_factory=dict)

    def bit(self, fact: Hashable, sort: Hashable, *, pending: bool = False) -> int:
        """Return the bit of one fact."""
        bit = self.bits.get(fact)
        if bit is None:
            bit = self.bits[fact] = 1 << self.size
            self.size += 1
            self.facts[bit] = fact
            self.mask(sort).value |= bit
            if pending:
                self.pending |= bit
        return bit

    def field(self, place: tuple[str, str, str]) -> BitField:
        """Return the field of one entity."""
        found = self.fields.get(place)
        if found is None:
            # One table for each kind: entities in the same state have the same number, whichever they are.
            texts, numbers = self._tables.setdefault(place[:2], ([""], {"": 0}))
            found = BitField(self.size, ((1 << _WIDTH) - 1) << self.size, texts, numbers)
            self.fields[place] = found
            self.size += _WIDTH
            self.mask(("kind", *place[:2])).value |= found.mask
        return found

    def mask(self, sort: Hashable) -> Mask:
        """Return the bits of everything of one sort."""
        return self.masks.setdefault(sort, Mask())

    def true(self, region: int) -> Iterator[Hashable]:
        """Return the facts whose bits are set, oldest first."""
        while region:
            bit = region & -region
            region ^= bit
            yield self.facts[bit]
