"""Run it: ``python -m bench``, ``python -m bench --quick``."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.measuring import Run, session, share_of
from bench.plan import FULL, QUICK, Plan
from bench.plot import draw
from bench.report import tables, write_into
from bench.results import Results
from bench.systems import SYSTEMS, System
from choreography.up import prepare
from choreography.up.progress import Progress

_UNTRACED = "choreography, untraced"


class Bench:
    """Runs a plan."""

    def __init__(self, plan: Plan, systems: Sequence[System], folder: Path, progress: Progress) -> None:
        self._systems, self._folder, self._progress = systems, folder, progress
        self.results = Results(plan)

    async def run(self) -> Results:
        """Give every system its turns, then look at growth and at replicas."""
        plan = self.results.plan
        for number in range(1, plan.rounds + 1):
            for system in self._systems:
                run = await self._round(system)
                self.results.rounds.setdefault(system.name, []).append(run)
                self._tell(f"round {number}", system, run)
        for system in self._systems:
            if plan.growth and system.name in plan.growing:
                await self._grow(system)
            if system.name == _UNTRACED:
                await self._replicate(system)
        return self.results

    async def _round(self, system: System) -> Run:
        plan = self.results.plan
        async with session(system, self._empty()) as under_load:
            burst = await under_load.burst(plan.burst)
            await under_load.steady(20, plan.steady_seconds)
            await under_load.steady(burst.per_second / 2, plan.steady_seconds)
            return await under_load.finish()

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

    def _tell(self, when: str, system: System, run: Run) -> None:
        burst, slow = run.bursts[0], run.steady[0]
        self._progress.done(
            f"{when}, {system.name}: {burst.per_second:.0f} orders/s, {burst.total:.0f} µs CPU per order; "
            f"p50/p99 {share_of(slow.took, 0.5):.1f}/{share_of(slow.took, 0.99):.1f} ms at 20/s; "
            f"{run.audited} orders audited, load average {burst.load_average}"
        )


def main() -> None:
    """Parse the command line, run, and end with one line of JSON."""
    options = _options().parse_args()
    plan = QUICK if options.quick else FULL
    systems = [system for system in SYSTEMS if not options.only or system.name in options.only]
    progress = Progress()
    # Before any clock runs, as it may build Dapr or download Zipkin.
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
