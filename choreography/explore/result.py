"""The bounds of an exploration, its progress, and its findings."""

from __future__ import annotations

from dataclasses import dataclass, field

from choreography.explore.arranging import State
from choreography.explore.judging import FoundState, Judge
from choreography.explore.space import Space


@dataclass(frozen=True, slots=True)
class SearchBounds:
    """The bounds at which an exploration stops, with a message."""

    states: int = 20_000_000
    depth: int = 10_000
    seconds: float = 3600.0
    reduce: bool = True


@dataclass(slots=True)
class Tally:
    """The progress of an exploration."""

    states: int = 0
    steps: int = 0
    depth: int = 0
    ends: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def per_second(self) -> int:
        """States per second of one core, however busy other programs keep the machine."""
        return int(self.states / self.cpu) if self.cpu else 0


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken property, and the states of a run to the failure; no run if a `sometimes` is never reached."""

    found: FoundState
    path: tuple[State, ...]


@dataclass(slots=True)
class SearchResult:
    """The findings of an exploration.

    Attributes:
        violations: the broken properties, each once; the first has a shortest run.
        bounds: the bounds that stopped it before it had seen everything. Empty if it saw everything.
        reduced: steps of different flows that cannot affect each other were taken in one order only.
        crowded: a run to a step that was not followed, because it adds too many equal facts.
    """

    space: Space
    judge: Judge
    tally: Tally
    violations: list[Violation] = field(default_factory=list)
    bounds: list[str] = field(default_factory=list)
    reduced: bool = False
    crowded: tuple[State, ...] = ()

    @property
    def found(self) -> FoundState | None:
        """The first finding."""
        return self.violations[0].found if self.violations else None

    @property
    def path(self) -> list[State]:
        """The states of a shortest run to the first finding, from the beginning."""
        return list(self.violations[0].path) if self.violations else []

    @property
    def complete(self) -> bool:
        """The exploration saw everything, and no property is broken."""
        return not self.bounds and not self.violations
