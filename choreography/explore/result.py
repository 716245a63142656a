"""What an exploration is bounded by, how far it has come, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field

from choreography.explore.arranging import State
from choreography.explore.judging import FoundState, Judge
from choreography.explore.space import Space


@dataclass(frozen=True, slots=True)
class SearchBounds:
    """Where an exploration stops, and says so."""

    states: int = 20_000_000
    depth: int = 10_000
    seconds: float = 3600.0
    reduce: bool = True


@dataclass(slots=True)
class Tally:
    """How far an exploration has come."""

    states: int = 0
    steps: int = 0
    depth: int = 0
    ends: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def per_second(self) -> int:
        """States per second of one core, however busy the others keep the machine."""
        return int(self.states / self.cpu) if self.cpu else 0


@dataclass(frozen=True, slots=True)
class Violation:
    """A property that is broken, and the states of a run to where it is; no run if it is never reached."""

    found: FoundState
    path: tuple[State, ...]


@dataclass(slots=True)
class SearchResult:
    """What an exploration found.

    Attributes:
        violations: what is broken, each property once; a shortest run to the first of them comes first.
        bounds: where it stopped before it had seen everything. Empty if it has.
        reduced: steps of different flows that cannot matter to each other were taken in one order only.
        crowded: a run to a step that was not followed, because it repeats what was too often alike.
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
        """What was found first."""
        return self.violations[0].found if self.violations else None

    @property
    def path(self) -> list[State]:
        """The states of a shortest run to what was found first, from the beginning."""
        return list(self.violations[0].path) if self.violations else []

    @property
    def complete(self) -> bool:
        """Everything was seen, and nothing is broken."""
        return not self.bounds and not self.violations
