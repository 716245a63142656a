"""Combinations of choices: all of them if they are few, a sample from a seed if they are many."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample(Generic[T]):
    """A sample, and the number of all combinations."""

    picked: tuple[T, ...]
    of: int


def sample(axes: Sequence[Sequence[T]], most: int, seed: int = 0) -> Sample[tuple[T, ...]]:
    """Return at most this many combinations of one choice from each axis.

    The sample of too many first takes every choice of every axis at least once, as far as there is room, and then
    others at random. The same seed returns the same sample.
    """
    of = prod(len(axis) for axis in axes)
    if of <= most:
        return Sample(tuple(itertools.product(*axes)), of)
    # Not for cryptography: the sample must be repeatable.
    chance = Random(seed)  # noqa: S311
    sizes = [len(axis) for axis in axes]
    begun = [(size, int(chance.random() * size)) for size in sizes]
    rows = range(min(most, max(sizes)))
    places = dict.fromkeys([tuple([(begin + row) % size for size, begin in begun]) for row in rows])
    while len(places) < most:
        places.setdefault(tuple([int(chance.random() * size) for size in sizes]))
    return Sample(tuple([tuple([axis[at] for axis, at in zip(axes, place, strict=True)]) for place in places]), of)
