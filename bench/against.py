"""Holds this tree against another commit: ``python -m bench.against v0.9.0``.

Both get the same orders, in turns, so that whatever else the machine does meanwhile is in the figures of both. A
difference counts only where it is larger than that between runs of one commit.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.flow_files import ROOT
from bench.measuring import session
from bench.meter import Meter
from bench.systems import Stage, System
from choreography.up import prepare
from choreography.up.progress import Progress

_RUNNER: Final = ROOT / "bench" / "checkout_of.py"
_STEADY: Final = 20.0
_REMINDED: Final = 40.0
"""Seconds after the last order in which everything that is done about it later is done: its reminder above all."""


@dataclass(frozen=True)
class Figures:
    """The figures of one run, by name."""

    values: Mapping[str, float]


def compared(ours: Sequence[Figures], theirs: Sequence[Figures]) -> list[dict[str, Any]]:
    """Return a row for each figure: the medians, their ratio, and how much the runs of one commit differ."""
    rows = []
    for name in ours[0].values:
        mine, other = ([one.values[name] for one in runs] for runs in (ours, theirs))
        before, after = median(other), median(mine)
        spread = max((max(runs) - min(runs)) / max(median(runs), 1e-9) for runs in (mine, other))
        ratio = after / max(before, 1e-9)
        rows.append(
            {
                "figure": name,
                "before": before,
                "after": after,
                "ratio": round(ratio, 3),
                "spread": round(spread, 3),
                "differs": abs(ratio - 1) > spread,
            }
        )
    return rows


def table(rows: Sequence[Mapping[str, Any]], commit: str) -> str:
    """Return the comparison as a table of Markdown."""
    lines = [f"| figure | {commit} | this tree | ratio | a commit's runs differ by |", "| --- " * 5 + "|"]
    for row in rows:
        ratio = f"**{row['ratio']:.2f}**" if row["differs"] else f"{row['ratio']:.2f}"
        lines.append(f"| {row['figure']} | {row['before']:.0f} | {row['after']:.0f} | {ratio} | {row['spread']:.0%} |")
    return "\n".join(lines)


def extracted(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder, and return it."""
    git = shutil.which("git")
    if git is None:
        raise SystemExit("There is no git here, so no other commit can be run. Install it.")
    made = subprocess.run(  # noqa: S603 - git, with a name that the caller gave
        [git, "-C", str(ROOT), "archive", "--format=tar", commit], capture_output=True, check=False
    )
    if made.returncode:
        raise SystemExit(f"git knows no commit {commit!r}, so nothing can be compared: {made.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        archive.extractall(emptied(folder), filter="data")
    return folder


def emptied(folder: Path) -> Path:
    """Make a folder, or empty it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@asynccontextmanager
async def running(tree: Path, folder: Path) -> AsyncIterator[Stage]:
    """Run the checkout of a tree with that tree's own library, on a broker and a store that are empty."""
    log_file = emptied(folder) / "runner.log"
    with log_file.open("wb") as log:
        runner = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(_RUNNER), str(tree), str(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
        )
    if runner.stdin is None or runner.stdout is None:
        raise TypeError("A runner has an input and an output.")
    try:
        # The last line is JSON; the lines before it tell the progress.
        async for line in runner.stdout:
            if line.startswith(b"{"):
                break
        else:
            raise SystemExit(f"The checkout of {tree} did not start; {log_file} says why.")
        told = json.loads(line)
        if not Path(told.pop("library")).is_relative_to(tree):
            raise SystemExit(f"The checkout of {tree} runs with another library, so it would be compared with itself.")
        yield Stage(**told | {"orders": tuple(told["orders"])}, more_streams=("billing-intents",))
    finally:
        runner.stdin.close()
        await runner.wait()


async def measured(tree: Path, folder: Path, burst: int, seconds: float) -> Figures:
    """Run one tree once, and return its figures. What a reminder costs half a minute later is an order's as well."""
    system = System("checkout", "", (), lambda place, _: running(tree, place))
    async with session(system, folder) as under_load:
        pids = under_load.pids
        fast = await under_load.burst(burst)
        meter = Meter(pids)
        slow = await under_load.latency(_STEADY, seconds)
        await asyncio.sleep(_REMINDED)
        steady = {group: used / slow.orders for group, used in meter.microseconds().items()}
        await under_load.finish()
    at_once = {f"{group}, CPU µs per order at once": float(used) for group, used in fast.cpu.items()}
    one_by_one = {f"{group}, CPU µs per order at {_STEADY:.0f}/s": used for group, used in steady.items()}
    return Figures(
        {"orders/s": fast.per_second, f"p50 ms at {_STEADY:.0f}/s": slow.p50, f"p99 ms at {_STEADY:.0f}/s": slow.p99}
        | {"CPU µs per order at once": float(fast.total)}
        | at_once
        | {f"CPU µs per order at {_STEADY:.0f}/s": sum(steady.values())}
        | one_by_one
    )


async def compare(commit: str, rounds: int, burst: int, seconds: float, folder: Path) -> list[dict[str, Any]]:
    """Give each its turns, the other one first in every second round."""
    progress = Progress()
    trees = {"this tree": ROOT, commit: extracted(commit, folder / "tree")}
    runs: dict[str, list[Figures]] = {name: [] for name in trees}
    for number in range(rounds):
        for name in sorted(trees, reverse=number % 2 == 1):
            figures = await measured(trees[name], folder / "run", burst, seconds)
            runs[name].append(figures)
            said = ", ".join(f"{figure} {value:.0f}" for figure, value in figures.values.items())
            progress.done(f"round {number + 1} of {rounds}, {name}: {said}")
    return compared(runs["this tree"], runs[commit])


def main() -> None:
    """Parse the command line, run, and print the comparison."""
    parser = argparse.ArgumentParser(prog="python -m bench.against", description=__doc__)
    parser.add_argument("commit", help="what to hold this tree against: a tag, a branch or a commit")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--burst", type=int, default=1500, help="orders sent as fast as they are taken")
    parser.add_argument("--seconds", type=float, default=15, help="for how long orders come at 20 a second")
    parser.add_argument("--folder", type=Path, default=Path(".run/against"), help="where the runs keep their state")
    options = parser.parse_args()
    # Before any clock runs, as it may build Dapr.
    prepare(Progress(), store="postgres")
    folder = options.folder.resolve()
    rows = asyncio.run(compare(options.commit, options.rounds, options.burst, options.seconds, folder))
    sys.stdout.write(table(rows, options.commit) + "\n")


if __name__ == "__main__":
    main()
