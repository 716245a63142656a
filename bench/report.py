"""The figures as tables: on the terminal while they come, and in docs/bench.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from bench.meter import GROUPS
from bench.results import FASTSTREAM, FLOOR, QUICKSTART, Results, machine, p50_of, p99_of
from bench.systems import SYSTEMS
from choreography.insight.placed import put_between

_BEGIN: Final = "<!-- figures of the last full run: begin -->"
_END: Final = "<!-- figures of the last full run: end -->"

_TARGETS: Final = (
    ("times_quickstart", f"orders/s, times the {QUICKSTART}'s", 13.0, True),
    ("cpu_of_quickstart", f"CPU per order, share of the {QUICKSTART}'s", 0.167, False),
    ("p50_at_20_of_quickstart", f"p50 at 20 orders/s, of the {QUICKSTART}'s", 1.2, False),
    ("p99_at_20_of_quickstart", f"p99 at 20 orders/s, of the {QUICKSTART}'s", 1.2, False),
    ("times_faststream", f"orders/s, times {FASTSTREAM}'s", 2.5, True),
    ("of_floor", f"orders/s, share of the {FLOOR}'s", 0.45, True),
)


def tables(results: Results) -> str:
    """Return all tables as Markdown."""
    parts = [_speed(results), _cpu(results), _memory(results)]
    if results.growth:
        parts.append(_growth(results))
    if results.replicas:
        parts.append(_replicas(results))
    parts += [_targets(results), _lacks(results)]
    return "\n\n".join(parts)


def write_into(document: Path, results: Results) -> None:
    """Replace the figures in a document, and nothing else of it."""
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
                *(_milliseconds(results, name, which) for which in (0, 1)),
            ]
        )
    told = machine()
    loads = [run.bursts[0].load_average for runs in results.rounds.values() for run in runs]
    return _titled(
        f"Speed: {told['cpus']} processors, medians of {results.plan.rounds} rounds of {results.plan.burst} orders "
        f"(least-largest), load average {min(loads)}-{max(loads)}",
        ["system", "orders/s", "CPU µs per order", "p50 / p99 ms at 20/s", "p50 / p99 ms at half of capacity"],
        rows,
    )


def _milliseconds(results: Results, name: str, which: int) -> str:
    p50 = results.latency(name, which, p50_of)
    p99 = results.latency(name, which, p99_of)
    rate = results.latency(name, which, lambda one: one.a_second)
    return f"{p50} / {p99}" + (f" ({rate:.0f}/s)" if which else "")


def _cpu(results: Results) -> str:
    rows = [
        [name, *(f"{results.cpu(name)[group]:.0f}" if results.cpu(name)[group] else "" for group in GROUPS)]
        for name in results.rounds
    ]
    return _titled(
        "CPU µs per order by process (the collector of traces is not in the total above)", ["system", *GROUPS], rows
    )


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


def _targets(results: Results) -> str:
    ratios = results.ratios()
    rows = []
    for name, told, bound, at_least in _TARGETS:
        if name in ratios:
            reached = ratios[name] >= bound if at_least else ratios[name] <= bound
            sign = "at least" if at_least else "at most"
            rows.append([told, f"{ratios[name]:g}", f"{sign} {bound:g}", "yes" if reached else "no"])
    return _titled("This project, everything on, beside the others", ["what", "figure", "target", "reached"], rows)


def _lacks(results: Results) -> str:
    rows = [[one.name, one.told, ", ".join(one.lacks)] for one in SYSTEMS if one.name in results.rounds]
    return _titled("What each does not do", ["system", "what it is", "without"], rows)


def _titled(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"**{title}**", "", _row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
