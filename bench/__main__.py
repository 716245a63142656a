"""Run it: ``python -m bench``, ``python -m bench --quick``."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from statistics import median

from bench.measuring import Burst, Session, Steady, session, share_of
from bench.plan import FULL, QUICK, Plan
from bench.plot import draw
from bench.report import tables, write_into
from bench.results import UNTRACED, Results
from bench.systems import SYSTEMS, System
from bench.tree import checked_out
from bench.turns import Turns
from choreography.progress import Progress
from choreography.up import prepare


class Bench:
    """Runs a plan."""

    def __init__(self, plan: Plan, systems: Sequence[System], folder: Path, progress: Progress) -> None:
        self._systems, self._folder, self._progress = systems, folder, progress
        self.results = Results(plan, commit=checked_out())

    async def run(self) -> Results:
        """Give every system its turns, then measure growth and replicas."""
        plan = self.results.plan
        for number in range(1, plan.rounds + 1):
            await self._round(number)
        for system in self._systems:
            if plan.growth and system.name in plan.growing:
                await self._grow(system)
            if system.name == UNTRACED:
                await self._replicate(system)
        return self.results

    async def _round(self, number: int) -> None:
        turns, empty = Turns(), self._empty()
        async with AsyncExitStack() as stack:
            running: dict[str, Session] = {}
            for system in self._systems:
                place = empty / system.name.replace(", ", "-").replace(" ", "-")
                running[system.name] = await stack.enter_async_context(session(system, place))
                self._progress.note(f"round {number}: {system.name} is running")
            for turn in range(1, self.results.plan.turns + 1):
                await self._turn(f"round {number}, turn {turn}", turns, running)
            for name, under_load in running.items():
                run = await under_load.finish()
                self.results.rounds.setdefault(name, []).append(run)
                self.results.idle.setdefault(name, []).append(turns.idle(name))
                self._progress.note(
                    f"round {number}: {name}: {run.audited} orders audited; "
                    f"{turns.idle(name):.0f} µs of CPU a second while it waited"
                )

    async def _turn(self, when: str, turns: Turns, running: Mapping[str, Session]) -> None:
        plan = self.results.plan
        bursts = await turns.give(running, partial(_burst, plan.burst))
        rates: dict[float, Mapping[str, Steady]] = {}
        for rate, seconds in plan.rates.items():
            # A system is not measured above its capacity of this round: the figures would only show a queue.
            able = {name: one for name, one in running.items() if median(_speeds(one)) > rate}
            rates[rate] = await turns.give(able, partial(_steady, rate, seconds)) if able else {}
            for name in running:
                self.results.rates.setdefault((name, rate), []).append(rates[rate].get(name))
        for name, burst in bursts.items():
            self._progress.done(
                f"{when}, {name}: {burst.per_second:.0f} orders/s, {burst.total:.0f} µs CPU per order; p50/p99 ms "
                + ", ".join(f"{rate:g}/s {_latencies(given.get(name))}" for rate, given in rates.items())
            )

    async def _grow(self, system: System) -> None:
        async with session(system, self._empty()) as under_load:
            for count in self.results.plan.growth:
                burst = await under_load.burst(count)
                self._progress.note(
                    f"growth: {system.name}, {count} more: {burst.per_second:.0f}/s, {burst.total:.0f} µs"
                )
            run = await under_load.finish()
        self.results.growth[system.name] = run.bursts

    async def _replicate(self, system: System) -> None:
        for count in self.results.plan.replicas:
            async with session(system, self._empty(), count) as under_load:
                burst = await under_load.burst(self.results.plan.replica_burst)
                await under_load.finish()
            self.results.replicas[count] = burst
            self._progress.note(f"{count} replicas: {burst.per_second:.0f}/s, {burst.total:.0f} µs")

    def _empty(self) -> Path:
        shutil.rmtree(self._folder / "run", ignore_errors=True)
        return self._folder / "run"


def _speeds(under_load: Session) -> list[float]:
    return [burst.per_second for burst in under_load.run.bursts]


async def _burst(count: int, under_load: Session) -> Burst:
    return await under_load.burst(count)


async def _steady(rate: float, seconds: float, under_load: Session) -> Steady:
    return await under_load.steady(rate, seconds)


def _latencies(steady: Steady | None) -> str:
    if steady is None or not steady.kept_up:
        return "over its capacity"
    return f"{share_of(steady.took, 0.5):.1f}/{share_of(steady.took, 0.99):.1f}"


def main() -> None:
    """Parse the command line, run, and print one line of JSON at the end."""
    options = _options().parse_args()
    plan = QUICK if options.quick else FULL
    systems = [system for system in SYSTEMS if not options.only or system.name in options.only]
    progress = Progress()
    # Before any clock runs, because it may build Dapr or download Zipkin.
    prepare(progress, store="postgres", zipkin=True)
    results = asyncio.run(Bench(plan, systems, options.folder.resolve(), progress).run())
    sys.stdout.write(tables(results) + "\n\n")
    draw(results, options.out)
    if (document := options.out / "bench.md").exists():
        write_into(document, results)
    sys.stdout.write(f"bench: {json.dumps(results.as_json(), ensure_ascii=False)}\n")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, under six minutes")
    parser.add_argument("--only", action="append", metavar="SYSTEM", choices=[one.name for one in SYSTEMS])
    parser.add_argument("--folder", type=Path, default=Path(".run/bench"), help="where the runs keep their state")
    parser.add_argument("--out", type=Path, default=Path(".run/bench"), help="where the picture and bench.md are")
    return parser


if __name__ == "__main__":
    main()
