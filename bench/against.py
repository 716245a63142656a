"""Holds this tree against another commit: ``python -m bench.against v0.9.0``.

Both run at once and get the same orders in short turns, so that whatever else the machine does meanwhile is in the
figures of both. CPU is also given in units of what the payment provider used for the same orders: it does the same work
in both trees, so what a busy machine adds to everything is in it as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench.flow_files import ROOT
from bench.measuring import Burst, Session, Steady, per_order, session, share_of
from bench.pairs import Compared, compared
from bench.systems import Stage, System
from bench.tree import emptied, extracted, same_provider
from bench.turns import Turns
from choreography.progress import Progress
from choreography.up import prepare

_RUNNER: Final = ROOT / "bench" / "checkout_of.py"
_OURS: Final = "this tree"
_THEIRS: Final = "the other"


@dataclass(frozen=True)
class Row:
    """One figure of both trees.

    Attributes:
        figure: its name.
        plain: the measured figure.
        in_units: the CPU figure, in units of the CPU that the payment provider used for the same orders.
    """

    figure: str
    plain: Compared
    in_units: Compared | None = None


def of_bursts(theirs: Sequence[Burst], ours: Sequence[Burst]) -> list[Row]:
    """Compare orders that are sent as fast as they are accepted."""
    rate = compared([one.per_second for one in theirs], [one.per_second for one in ours])
    return [Row("orders/s at once", rate), *_cpu("at once", theirs, ours)]


def of_rate(theirs: Sequence[Steady], ours: Sequence[Steady]) -> list[Row]:
    """Compare orders sent at one rate."""
    when = f"at {ours[0].a_second:g}/s"
    rows = [
        Row(f"{name} ms {when}", compared(*([share_of(one.took, share) for one in turns] for turns in (theirs, ours))))
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]
    return [*rows, *_cpu(when, theirs, ours)]


def behind(turns: Sequence[Steady]) -> str:
    """Tell whether orders came faster than they ended; then the latency and the CPU are those of a queue."""
    count = sum(not one.kept_up for one in turns)
    rate = f"{turns[0].a_second:g}/s"
    return f"In {count} of {len(turns)} turns at {rate} orders came faster than they ended.\n" if count else ""


def _cpu(when: str, theirs: Sequence[Burst | Steady], ours: Sequence[Burst | Steady]) -> list[Row]:
    before, after = ([_with_sum(per_order(one)) for one in turns] for turns in (theirs, ours))
    return [
        Row(
            f"CPU µs per order {when}, {group}",
            compared([one[group] for one in before], [one[group] for one in after]),
            compared(*([one[group] / max(one["provider"], 1e-9) for one in turns] for turns in (before, after))),
        )
        for group in after[0]
        if group in before[0]
    ]


def _with_sum(used: Mapping[str, float]) -> dict[str, float]:
    return {"all": sum(used.values()), **used}


def table(rows: Sequence[Row], commit: str) -> str:
    """Return the comparison as a table of Markdown; bold marks a difference beyond chance."""
    lines = [f"| figure | {commit} | this tree | ratio (95 %) | by the provider's CPU (95 %) |", "| --- " * 5 + "|"]
    lines += [
        f"| {row.figure} | {row.plain.before:.0f} | {row.plain.after:.0f} | {_ratio(row.plain)} "
        f"| {_ratio(row.in_units) if row.in_units else ''} |"
        for row in rows
    ]
    return "\n".join(lines)


def _ratio(one: Compared) -> str:
    shown = f"**{one.ratio:.3f}**" if one.differs else f"{one.ratio:.3f}"
    return f"{shown} ({one.low:.2f}-{one.high:.2f})"


@asynccontextmanager
async def running(tree: Path, folder: Path, settings: Mapping[str, str], *, traced: bool) -> AsyncIterator[Stage]:
    """Run the checkout of a tree with that tree's own library, on an empty broker and an empty store."""
    log_file = emptied(folder) / "runner.log"
    with log_file.open("wb") as log:
        runner = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(_RUNNER), str(tree), str(folder), *(["--traced"] if traced else [])),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=tree,
            env={**os.environ, **settings, "PYTHONPATH": str(tree)},
        )
    if runner.stdin is None or runner.stdout is None:
        raise TypeError("A runner has an input and an output.")
    try:
        # The last line is JSON; the lines before it show the progress.
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


@dataclass(frozen=True)
class Turn:
    """The load of one turn."""

    burst: int
    rates: tuple[float, ...]
    seconds: float


class Comparison:
    """Runs both trees and gives them the same load in turn."""

    def __init__(self, trees: Mapping[str, Path], folder: Path, *, settings: Mapping[str, str], traced: bool) -> None:
        self._trees, self._folder, self._traced = trees, folder, traced
        self._settings = {_OURS: settings, _THEIRS: {}}
        self._turns, self._progress = Turns(), Progress()
        self._bursts: dict[str, list[Burst]] = {name: [] for name in trees}
        self._steady: dict[float, dict[str, list[Steady]]] = {}

    def behind(self) -> str:
        """Return the rates at which a tree did not keep up."""
        return "".join(behind([*turns[_THEIRS], *turns[_OURS]]) for turns in self._steady.values())

    async def run(self, rounds: int, turn: Turn) -> list[Row]:
        """Give each tree its turns, and compare them."""
        async with AsyncExitStack() as stack:
            both = {name: await stack.enter_async_context(self._session(name)) for name in self._trees}
            for number in range(rounds):
                await self._round(both, turn)
                self._progress.done(f"round {number + 1} of {rounds}: {self._summary()}")
            for under_load in both.values():
                await under_load.finish()
        self._progress.note(
            "while the other had its turn: "
            + ", ".join(f"{name} used {self._turns.idle(name):.0f} µs of CPU a second" for name in self._trees)
        )
        rows = of_bursts(self._bursts[_THEIRS], self._bursts[_OURS])
        return rows + [row for turns in self._steady.values() for row in of_rate(turns[_THEIRS], turns[_OURS])]

    def _session(self, name: str) -> AbstractAsyncContextManager[Session]:
        tree, settings = self._trees[name], self._settings[name]
        start = System(name, "", (), lambda place, _: running(tree, place, settings, traced=self._traced))
        return session(start, self._folder / name.replace(" ", "-"))

    async def _round(self, both: Mapping[str, Session], turn: Turn) -> None:
        for name, burst in (await self._turns.give(both, lambda one: one.burst(turn.burst))).items():
            self._bursts[name].append(burst)
        for rate in turn.rates:
            given = await self._turns.give(both, partial(_at, rate, turn.seconds))
            for name, steady in given.items():
                self._steady.setdefault(rate, {each: [] for each in self._trees})[name].append(steady)

    def _summary(self) -> str:
        return "; ".join(
            f"{name} {self._bursts[name][-1].per_second:.0f} orders/s, CPU µs per order "
            + ", ".join(
                [
                    f"{self._bursts[name][-1].total:.0f} at once",
                    *(f"{turns[name][-1].total:.0f} at {rate:g}/s" for rate, turns in self._steady.items()),
                ]
            )
            for name in self._trees
        )


async def _at(rate: float, seconds: float, under_load: Session) -> Steady:
    return await under_load.steady(rate, seconds)


def setting(text: str) -> tuple[str, str]:
    """Read NAME=VALUE."""
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def main() -> None:
    """Parse the command line, run, and print the comparison."""
    parser = argparse.ArgumentParser(prog="python -m bench.against", description=__doc__)
    parser.add_argument("commit", help="what to hold this tree against: a tag, a branch or a commit")
    parser.add_argument("--rounds", type=int, default=10, help="turns of each; with fewer than six nothing is certain")
    parser.add_argument("--burst", type=int, default=400, help="orders sent as fast as they are taken")
    parser.add_argument("--rates", type=float, nargs="*", default=[20, 100], help="orders a second")
    parser.add_argument("--seconds", type=float, default=5, help="for how long orders come at a rate")
    parser.add_argument("--traced", action="store_true", help="with Zipkin, every order traced, in both")
    parser.add_argument(
        "--set", type=setting, action="append", default=[], metavar="NAME=VALUE", help="environment of this tree only"
    )
    parser.add_argument("--folder", type=Path, default=Path(".run/against"), help="where the runs keep their state")
    options = parser.parse_args()
    # Before any clock runs, because it may build Dapr or download Zipkin.
    prepare(Progress(), store="postgres", zipkin=options.traced)
    folder = options.folder.resolve()
    trees = {_OURS: ROOT, _THEIRS: extracted(options.commit, folder / "tree")}
    comparison = Comparison(trees, folder, settings=dict(options.set), traced=options.traced)
    turn = Turn(options.burst, tuple(options.rates), options.seconds)
    rows = asyncio.run(comparison.run(options.rounds, turn))
    sys.stdout.write(table(rows, options.commit) + "\n" + comparison.behind())
    if not same_provider(options.commit):
        sys.stdout.write("The payment provider differs between the two, so its CPU is no unit here.\n")


if __name__ == "__main__":
    main()
