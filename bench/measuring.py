"""Measures one running system: its speed, cost, latency and memory. The load generator does not count."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.audit import audit, prepare
from bench.broker import Broker
from bench.load import Load
from bench.meter import COLLECTOR, Meter, Pids, load_average, memory
from bench.orders import Order, orders
from bench.systems import Stage, System

WARM_UP: Final = 300
_PATIENCE: Final = 600.0
_SLOWEST_WARM_UP: Final = 120.0
_CAUGHT_UP: Final = 1.0
"""Seconds after the last order by which a system that keeps up with its orders has ended all of them."""


@dataclass(frozen=True)
class Burst:
    """Orders sent as fast as they were accepted, until the last consequence of the last one was handled."""

    orders: int
    seconds: float
    cpu: dict[str, int]
    load_average: float

    @property
    def per_second(self) -> float:
        """Orders ended per second."""
        return self.orders / self.seconds

    @property
    def total(self) -> float:
        """Microseconds of CPU for one order."""
        return sum(per_order(self).values())


@dataclass(frozen=True)
class Steady:
    """Orders sent at a fixed rate, until the last consequence of the last one was handled.

    Attributes:
        a_second: how many orders were sent every second.
        orders: the number of orders.
        took: milliseconds of each order, from the moment it should have been sent to the dispatch of its parcel.
        cpu: microseconds of CPU by group of processes.
        kept_up: whether all orders had ended soon after the last was sent. If not, the latency only shows the length of
            the run.
    """

    a_second: float
    orders: int
    took: tuple[float, ...]
    cpu: dict[str, int]
    kept_up: bool

    @property
    def total(self) -> float:
        """Microseconds of CPU for one order, including the CPU that the processes use without load."""
        return sum(per_order(self).values())


@dataclass
class Run:
    """One system, started once."""

    bursts: list[Burst] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    audited: int = 0


class Session:
    """A running system under load."""

    def __init__(self, system: System, stage: Stage, broker: Broker) -> None:
        self._system, self._stage, self._broker = system, stage, broker
        self._load = Load(stage.orders)
        self._sent = 0
        self.run = Run()

    @property
    def pids(self) -> Pids:
        """The processes of the system."""
        return self._stage.pids

    async def warm_up(self) -> None:
        """Let every process do everything once, so that imports, caches and connections are ready."""
        if self._system.keeps_state:
            await prepare(self._stage)
        await self._load.place(self._more(WARM_UP))
        await self._broker.until_quiet(_SLOWEST_WARM_UP)

    async def burst(self, count: int) -> Burst:
        """Send this many orders as fast as they are accepted, and wait until all of them have ended."""
        meter, began = Meter(self.pids), time.monotonic()
        await self._load.place(self._more(count))
        ended = await self._broker.until_quiet(_PATIENCE)
        burst = Burst(count, ended - began, meter.microseconds(), load_average())
        self.run.bursts.append(burst)
        return burst

    async def steady(self, a_second: float, seconds: float) -> Steady:
        """Send at a steady rate, and measure the time of each order until its dispatch."""
        count = max(1, round(a_second * seconds))
        known, since, meter, began = set(self._load.sent), time.time(), Meter(self.pids), time.monotonic()
        await self._load.pace(self._more(count), a_second)
        ended = await self._broker.until_quiet(_PATIENCE)
        used = meter.microseconds()
        # The broker's clock may give an event the same millisecond as our clock.
        came = await self._broker.arrivals("shipment.dispatched.v1", since - 1)
        took = tuple(
            1000 * (came[order_id] - order_began)
            for order_id, order_began in self._load.began.items()
            if order_id not in known and order_id in came
        )
        return Steady(a_second, count, took, used, ended - began <= count / a_second + _CAUGHT_UP)

    async def finish(self) -> Run:
        """Measure the memory of the processes, and check that the results are right."""
        self.run.memory = memory(self.pids)
        sent = self._load.sent
        self.run.audited = await audit(self._stage, self._broker, sent, keeps_state=self._system.keeps_state)
        self._load.close()
        return self.run

    def _more(self, count: int) -> list[Order]:
        first, self._sent = self._sent, self._sent + count
        return orders(first, count)


@asynccontextmanager
async def session(system: System, folder: Path, replicas: int = 1) -> AsyncIterator[Session]:
    """Start a system, warm it up, and stop it at the end."""
    async with system.start(folder, replicas) as stage:
        broker = Broker(stage.redis_port, stage.more_streams, stage.elsewhere)
        try:
            under_load = Session(system, stage, broker)
            await under_load.warm_up()
            yield under_load
        finally:
            await broker.close()


def per_order(turn: Burst | Steady) -> dict[str, float]:
    """Return microseconds for one order by group; processes that only collect traces are left out."""
    return {group: used / turn.orders for group, used in turn.cpu.items() if group != COLLECTOR}


def share_of(values: Sequence[float], share: float) -> float:
    """Return the value below which the given share of all values lies (nearest rank)."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
