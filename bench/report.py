"""The figures as tables: on the terminal while they come, and in docs/bench.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from bench.goals import GOALS, Goal
from bench.meter import GROUPS
from bench.results import AtRate, Results, machine
from bench.systems import SYSTEMS
from choreography.render.marked_block import put_between

_BEGIN: Final = "<!-- figures of the last full run: begin -->"
_END: Final = "<!-- figures of the last full run: end -->"
_OVER: Final = "over its capacity"


def tables(results: Results) -> str:
    """Return all tables as Markdown."""
    parts = [_speed(results), _cpu(results), _latency(results), _cpu_at_rates(results), _memory(results)]
    if results.growth:
        parts.append(_growth(results))
    if results.replicas:
        parts.append(_replicas(results))
    parts += [_lacks(results), _goals(results)]
    return "\n\n".join(parts)


def write_into(document: Path, results: Results) -> None:
    """Replace the figures in a document, and change nothing else in it."""
    put_between(document, _BEGIN, _END, tables(results))


def _speed(results: Results) -> str:
    rows = []
    for name in results.rounds:
        rate, total = results.rate(name), results.total(name)
        rows.append(
            [
                name,
                f"**{rate.median:.0f}** ({rate.least:.0f}-{rate.largest:.0f})",
                f"{total.median:.0f} ({total.least:.0f}-{total.largest:.0f})",
                f"{results.waiting(name):.0f}",
            ]
        )
    loads = [burst.load_average for name in results.rounds for burst in results.bursts(name)]
    plan = results.plan
    return _titled(
        f"Speed at once: commit {results.commit or 'unknown'}, {machine()['cpus']} processors, medians of "
        f"{plan.rounds * plan.turns} bursts of {plan.burst} orders (least-largest), load average "
        f"{min(loads)}-{max(loads)}",
        ["system", "orders/s", "CPU µs per order", "CPU µs a second while it waits for its turn"],
        rows,
    )


def _cpu(results: Results) -> str:
    rows = [
        [name, *(f"{results.cpu(name)[group]:.0f}" if results.cpu(name)[group] else "" for group in GROUPS)]
        for name in results.rounds
    ]
    return _titled(
        "CPU µs per order at once, by process (the collector of traces is not in the total above)",
        ["system", *GROUPS],
        rows,
    )


def _latency(results: Results) -> str:
    return _at_rates(
        results,
        "p50 / p99 ms from when an order should have been sent to when its parcel had left, by orders a second",
        lambda one: f"{one.p50} / {one.p99}",
    )


def _cpu_at_rates(results: Results) -> str:
    return _at_rates(results, "CPU µs per order, by orders a second", lambda one: f"{one.cpu:.0f}")


def _at_rates(results: Results, title: str, shown: Callable[[AtRate], str]) -> str:
    rows = []
    for name in results.rounds:
        found = [results.at(name, rate) for rate in results.plan.rates]
        rows.append([name, *(_OVER if one is None else shown(one) for one in found)])
    return _titled(title, ["system", *(f"{rate:g}/s" for rate in results.plan.rates)], rows)


def _memory(results: Results) -> str:
    processes = list(dict.fromkeys(process for name in results.rounds for process in results.memory(name)))
    rows = []
    for process in processes:
        weighed = [results.memory(name).get(process) for name in results.rounds]
        rows.append([process, *("" if one is None else f"{one:.0f}" for one in weighed)])
    sums = (sum(results.memory(name).values()) for name in results.rounds)
    rows.append(["**all**", *(f"**{one:.0f}**" for one in sums)])
    return _titled("Memory of each process, MiB (shared pages divided)", ["process", *results.rounds], rows)


def _growth(results: Results) -> str:
    rows = []
    for name, bursts in results.growth.items():
        done = 0
        for burst in bursts:
            done += burst.orders
            rows.append([name, f"{done:,}", f"{burst.per_second:.0f}", f"{burst.total:.0f}"])
    return _titled(
        "Growth: the same store and broker, never emptied",
        ["system", "orders so far", "orders/s", "CPU µs per order"],
        rows,
    )


def _replicas(results: Results) -> str:
    rows = [
        [str(count), f"{burst.per_second:.0f}", f"{burst.total:.0f}"]
        for count, burst in sorted(results.replicas.items())
    ]
    return _titled(
        "Replicas of every service of this project, tracing off, on the same processors",
        ["replicas", "orders/s", "CPU µs per order"],
        rows,
    )


def _lacks(results: Results) -> str:
    rows = [[one.name, one.told, ", ".join(one.lacks)] for one in SYSTEMS if one.name in results.rounds]
    return _titled("What each does not do", ["system", "what it is", "without"], rows)


def _goals(results: Results) -> str:
    return _titled(
        "This project beside the others: medians of the ratios of turns that followed each other",
        ["what", "today", "prototype", "must", "ambition", "measured", "absolute", "reached"],
        [_goal(goal, results) for goal in GOALS],
    )


def _goal(goal: Goal, results: Results) -> list[str]:
    measured = goal.measure(results)
    shown = f"**{goal.shown(measured.ratio)}**" if measured else ""
    of = measured.of if measured else "not run, or over its capacity"
    wanted = [goal.today, goal.prototype, goal.shown(goal.must), goal.shown(goal.ambition)]
    return [goal.what, *wanted, shown, of, goal.reached(measured)]


def _titled(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"**{title}**", "", _row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
