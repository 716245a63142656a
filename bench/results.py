"""The figures of all turns, and the values derived from them."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

from bench.measuring import Burst, Run, Steady, share_of
from bench.meter import GROUPS
from bench.pairs import Compared, compared
from bench.plan import Plan

OURS: Final = "choreography"
UNTRACED: Final = "choreography, untraced"
QUICKSTART: Final = "dapr quickstart"
FASTSTREAM: Final = "faststream"
OUTBOX: Final = "faststream, outbox"
FLOOR: Final = "floor"


@dataclass(frozen=True)
class Spread:
    """The median of several turns, with the lowest and the highest value."""

    median: float
    least: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise values."""
        return cls(*(round(value, 1) for value in (median(values), min(values), max(values))))


@dataclass(frozen=True)
class AtRate:
    """The result of a system at one rate: milliseconds of all its orders, and microseconds of CPU for one."""

    p50: float
    p99: float
    cpu: float


@dataclass
class Results:
    """All measurements, by the name of the system.

    Attributes:
        plan: the plan of the run.
        rounds: bursts, memory and audits, by system.
        rates: every turn by system and orders a second; None if a system was not measured at that rate.
        idle: microseconds of CPU a second while other systems had their turn, for each round.
        growth: bursts on a store that is never emptied.
        replicas: a burst for each number of replicas.
        commit: the commit that the figures belong to.
    """

    plan: Plan
    rounds: dict[str, list[Run]] = field(default_factory=dict)
    rates: dict[tuple[str, float], list[Steady | None]] = field(default_factory=dict)
    idle: dict[str, list[float]] = field(default_factory=dict)
    growth: dict[str, list[Burst]] = field(default_factory=dict)
    replicas: dict[int, Burst] = field(default_factory=dict)
    commit: str = ""

    def bursts(self, name: str) -> list[Burst]:
        """Return every burst, in the order of the turns."""
        return [burst for run in self.rounds[name] for burst in run.bursts]

    def rate(self, name: str) -> Spread:
        """Orders a second."""
        return Spread.of([burst.per_second for burst in self.bursts(name)])

    def cpu(self, name: str) -> dict[str, float]:
        """Microseconds of CPU for one order, by group of processes."""
        bursts = self.bursts(name)
        return {group: round(median(burst.cpu.get(group, 0) / burst.orders for burst in bursts)) for group in GROUPS}

    def total(self, name: str) -> Spread:
        """Microseconds of CPU for one order, without the trace collector."""
        return Spread.of([burst.total for burst in self.bursts(name)])

    def at(self, name: str, rate: float) -> AtRate | None:
        """Return the result of a system at a rate; None if it fell behind in half of the turns or more."""
        turns = self.rates.get((name, rate), [])
        given = [turn for turn in turns if turn is not None]
        if 2 * sum(turn.kept_up for turn in given) <= len(turns):
            return None
        # The figures of a system that mostly kept up include the turns in which it fell behind.
        took = [one for turn in given for one in turn.took]
        orders, used = sum(turn.orders for turn in given), sum(turn.total * turn.orders for turn in given)
        return AtRate(round(share_of(took, 0.5), 1), round(share_of(took, 0.99), 1), round(used / orders))

    def waiting(self, name: str) -> float:
        """Microseconds of CPU per second that a system used while another system had its turn."""
        return round(median(self.idle[name]))

    def memory(self, name: str) -> dict[str, float]:
        """MiB of each process."""
        runs = self.rounds[name]
        return {process: round(median(run.memory[process] for run in runs), 1) for process in runs[0].memory}

    def times(self, mine: str, theirs: str) -> Compared | None:
        """The first system's orders a second, as a multiple of the second's, turn by turn."""
        return self._compared(mine, theirs, lambda burst: burst.per_second)

    def cpu_of(self, mine: str, theirs: str) -> Compared | None:
        """The first system's CPU for an order, as a share of the second's, turn by turn."""
        return self._compared(mine, theirs, lambda burst: burst.total)

    def cpu_at(self, mine: str, theirs: str, rate: float) -> Compared | None:
        """The same at a rate, if both systems kept up with it."""
        if self.at(mine, rate) is None or self.at(theirs, rate) is None:
            return None
        turns = zip(self.rates[theirs, rate], self.rates[mine, rate], strict=True)
        pairs = [(before.total, after.total) for before, after in turns if before and after]
        return compared([before for before, _ in pairs], [after for _, after in pairs]) if pairs else None

    def _compared(self, mine: str, theirs: str, of: Callable[[Burst], float]) -> Compared | None:
        if not {mine, theirs} <= self.rounds.keys():
            return None
        return compared(*([of(burst) for burst in self.bursts(name)] for name in (theirs, mine)))

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON, for the last line of the output."""
        return {
            "commit": self.commit,
            "machine": machine(),
            "plan": asdict(self.plan),
            "systems": {name: self._system(name) for name in self.rounds},
            "growth": {name: [_burst(one) for one in bursts] for name, bursts in self.growth.items()},
            "replicas": {str(count): _burst(burst) for count, burst in self.replicas.items()},
        }

    def _system(self, name: str) -> dict[str, Any]:
        rates = {f"{rate:g}": self.at(name, rate) for rate in self.plan.rates}
        return {
            "orders_per_second": asdict(self.rate(name)),
            "cpu_us_per_order": asdict(self.total(name)),
            "cpu_us_by_process": self.cpu(name),
            "at": {rate: found and asdict(found) for rate, found in rates.items()},
            "waiting_us_per_second": self.waiting(name),
            "memory_mib": self.memory(name),
            "audited": sum(run.audited for run in self.rounds[name]),
            "load_average": [burst.load_average for burst in self.bursts(name)],
        }


def machine() -> dict[str, Any]:
    """The machine of the measurement."""
    return {"cpus": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}


def _burst(burst: Burst) -> dict[str, Any]:
    return {"orders": burst.orders, "per_second": round(burst.per_second, 1), "cpu_us": round(burst.total)}
