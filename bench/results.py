"""The figures of all rounds, and what follows from them."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

from bench.measuring import Burst, Run, Steady, share_of
from bench.meter import GROUPS
from bench.plan import Plan

OURS: Final = "choreography"
QUICKSTART: Final = "dapr quickstart"
FASTSTREAM: Final = "faststream"
FLOOR: Final = "floor"


@dataclass(frozen=True)
class Spread:
    """The median of several rounds, with the least and the largest."""

    median: float
    least: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise values."""
        return cls(*(round(value, 1) for value in (median(values), min(values), max(values))))


@dataclass
class Results:
    """Everything that was measured, by the name of the system."""

    plan: Plan
    rounds: dict[str, list[Run]] = field(default_factory=dict)
    growth: dict[str, list[Burst]] = field(default_factory=dict)
    replicas: dict[int, Burst] = field(default_factory=dict)

    def rate(self, name: str) -> Spread:
        """Orders a second."""
        return Spread.of([run.bursts[0].per_second for run in self.rounds[name]])

    def cpu(self, name: str) -> dict[str, float]:
        """Microseconds of CPU for one order, by group of processes."""
        runs = self.rounds[name]
        return {group: median(_used(run.bursts[0], group) for run in runs) for group in GROUPS}

    def total(self, name: str) -> Spread:
        """Microseconds of CPU for one order, without the collector of traces."""
        return Spread.of([run.bursts[0].total for run in self.rounds[name]])

    def latency(self, name: str, which: int, of: Callable[[Steady], float]) -> float:
        """Milliseconds from created to dispatched; which is 0 for 20 orders a second, 1 for half of capacity."""
        return round(median(of(run.steady[which]) for run in self.rounds[name]), 1)

    def memory(self, name: str) -> dict[str, float]:
        """MiB of each process."""
        runs = self.rounds[name]
        return {process: round(median(run.memory[process] for run in runs), 1) for process in runs[0].memory}

    def ratios(self) -> dict[str, float]:
        """How this project compares with each of the others, everything on."""
        found: dict[str, float] = {}
        if {OURS, QUICKSTART} <= self.rounds.keys():
            found["times_quickstart"] = round(self.rate(OURS).median / self.rate(QUICKSTART).median, 2)
            found["cpu_of_quickstart"] = round(self.total(OURS).median / self.total(QUICKSTART).median, 3)
            for name, of in (("p50", p50_of), ("p99", p99_of)):
                mine, theirs = self.latency(OURS, 0, of), self.latency(QUICKSTART, 0, of)
                found[f"{name}_at_20_of_quickstart"] = round(mine / theirs, 2)
        if {OURS, FASTSTREAM} <= self.rounds.keys():
            found["times_faststream"] = round(self.rate(OURS).median / self.rate(FASTSTREAM).median, 2)
        if {OURS, FLOOR} <= self.rounds.keys():
            found["of_floor"] = round(self.rate(OURS).median / self.rate(FLOOR).median, 3)
        return found

    def as_json(self) -> dict[str, Any]:
        """Everything, for the last line."""
        return {
            "machine": machine(),
            "plan": asdict(self.plan),
            "ratios": self.ratios(),
            "systems": {name: self._system(name) for name in self.rounds},
            "growth": {name: [_burst(one) for one in bursts] for name, bursts in self.growth.items()},
            "replicas": {str(count): _burst(burst) for count, burst in self.replicas.items()},
        }

    def _system(self, name: str) -> dict[str, Any]:
        steady = [
            {
                "a_second": round(self.latency(name, which, lambda one: one.a_second), 1),
                "p50_ms": self.latency(name, which, p50_of),
                "p99_ms": self.latency(name, which, p99_of),
            }
            for which in (0, 1)
        ]
        return {
            "orders_per_second": asdict(self.rate(name)),
            "cpu_us_per_order": asdict(self.total(name)),
            "cpu_us_by_process": self.cpu(name),
            "latency": steady,
            "memory_mib": self.memory(name),
            "audited": sum(run.audited for run in self.rounds[name]),
            "load_average": [run.bursts[0].load_average for run in self.rounds[name]],
        }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"cpus": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}


def _burst(burst: Burst) -> dict[str, Any]:
    return {"orders": burst.orders, "per_second": round(burst.per_second, 1), "cpu_us": round(burst.total)}


def _used(burst: Burst, group: str) -> float:
    return round(burst.cpu.get(group, 0) / burst.orders)


def p50_of(steady: Steady) -> float:
    """Return the milliseconds that half of the orders did not exceed."""
    return share_of(steady.took, 0.5)


def p99_of(steady: Steady) -> float:
    """Return the milliseconds that 99 of 100 orders did not exceed."""
    return share_of(steady.took, 0.99)
