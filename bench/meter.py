"""CPU time and memory of processes, as the kernel counts them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

COLLECTOR: Final = "collector"
GROUPS: Final = ("services", "sidecars", "broker", "database", "provider", "scheduler", COLLECTOR)

_PROC: Final = Path("/proc")
_TICK: Final = 1_000_000 // os.sysconf("SC_CLK_TCK")
_CLOCK_OF_A_PROCESS: Final = 2
"""Of the clocks that Linux keeps for each process: the time that all its threads ran, to the nanosecond."""

Pids = Mapping[str, Mapping[str, int]]
"""Process ids by group and name."""


class Meter:
    """Reads how much CPU each group of processes has used since the meter was made."""

    def __init__(self, pids: Pids) -> None:
        self._pids = pids
        self._before = self._cpu()

    def microseconds(self) -> dict[str, int]:
        """Return the CPU time used since then, by group."""
        return {group: used - self._before[group] for group, used in self._cpu().items()}

    def _cpu(self) -> dict[str, int]:
        parents = _parents()
        return {group: sum(_cpu_of(pid, parents) for pid in named.values()) for group, named in self._pids.items()}


def memory(pids: Pids) -> dict[str, float]:
    """Return the MiB of each process: memory that processes share is divided among them."""
    parents = _parents()
    return {
        name: round(sum(_pss(one) for one in _family(pid, parents)) / 1024, 1)
        for named in pids.values()
        for name, pid in named.items()
    }


def load_average() -> float:
    """Return how many processes want a processor, averaged over the last minute."""
    return round(os.getloadavg()[0], 2)


def _cpu_of(pid: int, parents: Mapping[int, Sequence[int]]) -> int:
    fields = _stat(pid)
    if fields is None:
        return 0
    # The counters of a parent include its ended children; living children are counted by themselves.
    used = _own(pid, fields) + sum(int(field) for field in fields[13:15]) * _TICK
    return used + sum(_cpu_of(child, parents) for child in parents.get(pid, ()))


def _own(pid: int, fields: Sequence[str]) -> int:
    """Return the CPU time of a process itself. /proc counts in hundredths of a second, too coarse for a short turn."""
    try:
        return time.clock_gettime_ns(~pid << 3 | _CLOCK_OF_A_PROCESS) // 1000
    except OSError:
        return sum(int(field) for field in fields[11:13]) * _TICK


def _family(pid: int, parents: Mapping[int, Sequence[int]]) -> list[int]:
    return [pid, *(one for child in parents.get(pid, ()) for one in _family(child, parents))]


def _parents() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in os.scandir(_PROC):
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None:
            found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def _stat(pid: int) -> list[str] | None:
    try:
        # The name may hold spaces and brackets, so parse after its last bracket.
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _pss(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
