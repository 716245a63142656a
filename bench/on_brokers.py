"""This project on each broker, so that a user can choose: ``python -m bench.on_brokers``, ``make bench OF=brokers``."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.audit import WrongResultError, money_and_stock, prepare
from bench.books import Books
from bench.choosing import write_into
from bench.flow_files import CHECKOUT
from bench.load import Load
from bench.measuring import share_of
from bench.meter import Meter
from bench.orders import Order, orders
from bench.results import machine
from bench.systems import Stage, as_url, stage_of
from choreography.progress import Progress
from choreography.up import RunningFlow
from choreography.up import prepare as provide
from choreography.up.brokers import BrokerServer
from choreography.up.toolbox import Tools

_WARM_UP: Final = 200
_STEADY: Final = 20
_PATIENCE: Final = 600.0
_REAL: Final = ("redis", "kafka", "rabbitmq", "nats", "nats-pull")
"""Those that run here as they would anywhere. What an emulator of AWS reaches says nothing about AWS."""


@dataclass(frozen=True)
class Turn:
    """One broker, started once. Times are milliseconds from the request to the record of the completed order."""

    version: str
    orders: int
    per_second: float
    cpu: int
    broker_cpu: int
    p50: float
    p99: float


class Turns:
    """Runs one broker after the other, each alone on the machine."""

    def __init__(self, folder: Path, burst: int, seconds: float, progress: Progress) -> None:
        self._folder, self._burst, self._seconds, self._progress = folder, burst, seconds, progress
        self._sent = 0

    async def run(self, name: str, tools: Tools) -> Turn:
        """Give a broker its turn."""
        shutil.rmtree(self._folder, ignore_errors=True)
        flow = RunningFlow(CHECKOUT, self._folder, broker=name, store="postgres", tools=tools, drain=False)
        await asyncio.to_thread(flow.prepare)
        async with flow:
            stage, books = stage_of(flow, 1, broker=tools.broker.name), await Books.open(as_url(flow.postgres_dsn))
            try:
                turn = await self._measure(stage, books, tools.broker)
            finally:
                await books.close()
        self._progress.done(
            f"{name} ({turn.version}): {turn.per_second:.0f} orders/s, {turn.cpu} µs CPU per order; "
            f"p50/p99 {turn.p50:.0f}/{turn.p99:.0f} ms at {_STEADY}/s"
        )
        return turn

    async def _measure(self, stage: Stage, books: Books, broker: BrokerServer) -> Turn:
        load = Load(stage.orders)
        await prepare(stage)
        await load.place(self._more(_WARM_UP))
        await books.until_ended(load.sent, _PATIENCE)
        meter, began, before = Meter(stage.pids), time.time(), set(load.sent)
        await load.place(self._more(self._burst))
        ended = await books.until_ended(load.sent, _PATIENCE)
        used = meter.microseconds()
        took = max(at for order_id, (_, at) in ended.items() if order_id not in before) - began
        p50, p99 = await self._pace(load, books)
        await self._audit(stage, books, load)
        load.close()
        return Turn(
            broker.version,
            self._burst,
            round(self._burst / took, 1),
            sum(used.values()) // self._burst,
            used["broker"] // self._burst,
            round(p50, 1),
            round(p99, 1),
        )

    async def _pace(self, load: Load, books: Books) -> tuple[float, float]:
        before = set(load.sent)
        await load.pace(self._more(round(_STEADY * self._seconds)), _STEADY)
        ended = await books.until_ended(load.sent, _PATIENCE)
        took = [
            1000 * (ended[order_id][1] - began)
            for order_id, began in load.began.items()
            if order_id not in before and ended[order_id][0] == "completed"
        ]
        return share_of(took, 0.5), share_of(took, 0.99)

    async def _audit(self, stage: Stage, books: Books, load: Load) -> None:
        """Compare the orders' ends, the ledger and the shelves with the sent orders: no figure counts lost work."""
        ended = await books.ended()
        wrong = [
            f"order {order_id} is {ended[order_id][0]}"
            for order_id, order in load.sent.items()
            if (ended[order_id][0] == "completed") != (order.fate == "happy")
        ]
        for _ in range(20):
            # Refunds and returned stock of a cancellation may still be under way.
            if not (amiss := await money_and_stock(stage, load.sent)):
                break
            await asyncio.sleep(0.5)
        if wrong or amiss:
            raise WrongResultError("; ".join([*wrong[:5], *amiss]) + ".")

    def _more(self, count: int) -> list[Order]:
        first, self._sent = self._sent, self._sent + count
        return orders(first, count)


def summed_up(turns: Sequence[Turn]) -> dict[str, Any]:
    """Return the medians of several turns."""
    figures = ("per_second", "cpu", "broker_cpu", "p50", "p99")
    middle = {name: round(statistics.median(getattr(turn, name) for turn in turns), 1) for name in figures}
    rates = sorted(turn.per_second for turn in turns)
    return asdict(turns[0]) | middle | {"rounds": len(turns), "slowest": rates[0], "fastest": rates[-1]}


def main(words: Sequence[str] | None = None) -> None:
    """Measure every named broker, or all; if a file is given, keep the figures and render the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.on_brokers", description=__doc__)
    parser.add_argument("brokers", nargs="*", help=f"some of {', '.join(_REAL)}; else all of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--orders", type=int, default=1_200, help="sent as fast as they are taken")
    parser.add_argument("--seconds", type=float, default=12, help=f"how long {_STEADY} orders come every second")
    parser.add_argument("--out", type=Path, help="where brokers.json and conformance.md are")
    options = parser.parse_args(words)
    if unknown := [name for name in options.brokers if name not in _REAL]:
        parser.error(f"nobody knows {', '.join(unknown)}; known are {', '.join(_REAL)}")
    progress = Progress()
    chosen = options.brokers or _REAL
    tools = {name: provide(progress, broker=name, store="postgres", zipkin=False) for name in chosen}
    measured: dict[str, list[Turn]] = {}
    for _ in range(options.rounds):
        for name in chosen:
            turns = Turns(Path(".run") / "bench" / name, options.orders, options.seconds, progress)
            measured.setdefault(name, []).append(asyncio.run(turns.run(name, tools[name])))
    day = datetime.now(UTC).date().isoformat()
    results = {broker: {"day": day, **machine(), **summed_up(turns)} for broker, turns in measured.items()}
    if options.out:
        write_into(options.out, results)
    sys.stdout.write(f"brokers: {json.dumps(results, ensure_ascii=False)}\n")


if __name__ == "__main__":
    main()
