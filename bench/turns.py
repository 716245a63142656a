"""Gives turns to systems while all of them run, so that a drifting machine affects all of them alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from bench.meter import Meter, Pids

Result = TypeVar("Result")

_PAUSE: Final = 0.3
"""Seconds after a turn in which its system puts away what no order waits for, such as the last traces."""


class HasProcesses(Protocol):
    """A system that can get a turn."""

    @property
    def pids(self) -> Pids:
        """Its processes."""


Taker = TypeVar("Taker", bound=HasProcesses)


@dataclass(frozen=True)
class Waiting:
    """The CPU that a system used while another one had its turn."""

    microseconds: int
    seconds: float


class Turns:
    """Gives turns, and measures the CPU that the waiting systems use meanwhile.

    The waiting systems are not frozen: their servers have time limits, which would all expire at once.
    """

    def __init__(self) -> None:
        self._given = 0
        self.waiting: dict[str, list[Waiting]] = {}

    async def give(self, takers: Mapping[str, Taker], task: Callable[[Taker], Awaitable[Result]]) -> dict[str, Result]:
        """Run this for each system alone; the first system of this round is the last of the next one."""
        names = list(takers)
        first = self._given % len(names)
        self._given += 1
        results: dict[str, Result] = {}
        for name in names[first:] + names[:first]:
            others = {other: _all_of(taker.pids) for other, taker in takers.items() if other != name}
            meter, began = Meter(others), time.monotonic()
            results[name] = await task(takers[name])
            for other, used in meter.microseconds().items():
                self.waiting.setdefault(other, []).append(Waiting(used, time.monotonic() - began))
            await asyncio.sleep(_PAUSE)
        return {name: results[name] for name in names}

    def idle(self, name: str) -> float:
        """Return the microseconds of CPU per second that a system used while it waited."""
        waited = self.waiting.get(name, ())
        return sum(one.microseconds for one in waited) / max(sum(one.seconds for one in waited), 1e-9)


def _all_of(pids: Pids) -> dict[str, int]:
    return {f"{group}/{name}": pid for group, named in pids.items() for name, pid in named.items()}
