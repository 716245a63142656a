"""Measures one running system: how fast, at what cost, how late, how large. The load itself is not counted."""

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
from bench.meter import Meter, Pids, load_average, memory
from bench.orders import Order, orders
from bench.systems import Stage, System

WARM_UP: Final = 300
_PATIENCE: Final = 600.0
_SLOWEST_WARM_UP: Final = 120.0


@dataclass(frozen=True)
class Burst:
    """Orders sent as fast as they were taken, until the last consequence of the last one was handled."""

    orders: int
    per_second: float
    cpu: dict[str, int]
    load_average: float

    @property
    def total(self) -> int:
        """Microseconds of CPU for one order; who only collects traces is shown beside it, not in it."""
        return sum(used for group, used in self.cpu.items() if group != "collector")


@dataclass(frozen=True)
class Latency:
    """Milliseconds from the moment an order should have been sent to the moment its parcel had left."""

    a_second: float
    orders: int
    p50: float
    p99: float
    largest: float


@dataclass
class Run:
    """One system, started once."""

    bursts: list[Burst] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
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
        """The processes it is made of."""
        return self._stage.pids

    async def warm_up(self) -> None:
        """Let every process do everything once, so that imports, caches and connections are paid for."""
        if self._system.keeps_state:
            await prepare(self._stage)
        await self._load.place(self._more(WARM_UP))
        await self._broker.until_quiet(_SLOWEST_WARM_UP)

    async def burst(self, count: int) -> Burst:
        """Send so many orders as fast as they are taken, and wait until all of them have ended."""
        meter, began = Meter(self._stage.pids), time.monotonic()
        await self._load.place(self._more(count))
        ended = await self._broker.until_quiet(_PATIENCE)
        cpu = {group: round(used / count) for group, used in meter.microseconds().items()}
        burst = Burst(count, round(count / (ended - began), 1), cpu, load_average())
        self.run.bursts.append(burst)
        return burst

    async def latency(self, a_second: float, seconds: float) -> Latency:
        """Send at a steady rate, and see how long each order took until it was dispatched."""
        count = max(50, round(a_second * seconds))
        before = set(self._load.sent)
        await self._load.pace(self._more(count), a_second)
        await self._broker.until_quiet(_PATIENCE)
        came = await self._broker.arrivals("shipment.dispatched.v1")
        took = [
            1000 * (came[order_id] - began)
            for order_id, began in self._load.began.items()
            if order_id not in before and order_id in came
        ]
        latency = Latency(a_second, count, *(round(share_of(took, share), 1) for share in (0.5, 0.99, 1.0)))
        self.run.latencies.append(latency)
        return latency

    async def finish(self) -> Run:
        """Weigh the processes, and check that the results are right."""
        self.run.memory = memory(self._stage.pids)
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
        broker = Broker(stage.redis_port, stage.more_streams)
        try:
            under_load = Session(system, stage, broker)
            await under_load.warm_up()
            yield under_load
        finally:
            await broker.close()


def share_of(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of all lies (nearest rank)."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
