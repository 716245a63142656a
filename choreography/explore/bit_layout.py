"""A state as integers: every possible fact about a flow has its own bit, every entity has a few bits.

A state is one integer for everything that the flows share, and one integer for each flow. Flows that differ only in
their ids have the same layout, so to rename two of them is to exchange two integers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final

from choreography.explore.properties import ExploreError

_WIDTH: Final = 16


@dataclass(slots=True)
class Mask:
    """The bits of all facts of one sort. The mask grows while the exploration discovers more facts."""

    value: int = 0


@dataclass(slots=True)
class BitField:
    """The position of one entity's state in an integer, and the number of each of its states."""

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
    """The bits of one region: of one flow, or of everything that the flows share.

    Attributes:
        pending: the bits of steps that may happen next.
        comes: the pending bits that stay set: events that foreign publishers may publish.
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
            # One table for each kind of entity: equal states have the same number, in every entity of the kind.
            texts, numbers = self._tables.setdefault(place[:2], ([""], {"": 0}))
            found = BitField(self.size, ((1 << _WIDTH) - 1) << self.size, texts, numbers)
            self.fields[place] = found
            self.size += _WIDTH
            self.mask(("kind", *place[:2])).value |= found.mask
        return found

    def mask(self, sort: Hashable) -> Mask:
        """Return the bits of all facts of one sort."""
        return self.masks.setdefault(sort, Mask())

    def true(self, region: int) -> Iterator[Hashable]:
        """Return the facts whose bits are set, the oldest first."""
        while region:
            bit = region & -region
            region ^= bit
            yield self.facts[bit]
