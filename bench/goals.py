"""The goals of this project compared with the other systems, and whether a run reached them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.results import FASTSTREAM, FLOOR, OURS, OUTBOX, QUICKSTART, UNTRACED, AtRate, Results


@dataclass(frozen=True)
class Measured:
    """A figure as a ratio, with the two absolute figures."""

    ratio: float
    of: str


@dataclass(frozen=True)
class Goal:
    """One figure with a goal.

    Attributes:
        what: its name.
        measure: finds it in the figures of a run; None if a system was not run or is over its capacity.
        today: the figure when the goals were set, 2026-11-29, at commit 712750e.
        prototype: the figure with a throw-away driver and a topic for each family of events, that day.
        must: the required figure; None for a figure that has no goal and is shown for comparison.
        ambition: the desired figure.
        at_least: whether more is better.
        percent: whether it is shown as percent.
    """

    what: str
    measure: Callable[[Results], Measured | None]
    today: str
    prototype: str
    must: float | None
    ambition: float | None
    at_least: bool = False
    percent: bool = False

    def shown(self, value: float | None) -> str:
        """Return a figure of this goal in the form of the table."""
        if value is None:
            return ""
        return f"{100 * value:.3g} %" if self.percent else f"{value:.3g}"

    def reached(self, measured: Measured | None) -> str:
        """Return the level that was reached: the ambition, the required figure, or neither."""
        if self.must is None or self.ambition is None:
            return ""
        if measured is None:
            return "no figure"
        sign = 1 if self.at_least else -1
        # The rounded value counts, or the table would contradict itself.
        value = float(f"{measured.ratio:.3g}")
        if sign * value >= sign * self.ambition:
            return "ambition"
        return "must" if sign * value >= sign * self.must else "no"


def _times(mine: str, theirs: str) -> Callable[[Results], Measured | None]:
    def measure(results: Results) -> Measured | None:
        found = results.times(mine, theirs)
        return Measured(found.ratio, f"{found.after:,.0f} and {found.before:,.0f} orders/s") if found else None

    return measure


def _cpu(mine: str, theirs: str) -> Callable[[Results], Measured | None]:
    def measure(results: Results) -> Measured | None:
        found = results.cpu_of(mine, theirs)
        return Measured(found.ratio, f"{found.after:,.0f} and {found.before:,.0f} µs") if found else None

    return measure


def _cpu_at(mine: str, theirs: str, rate: float) -> Callable[[Results], Measured | None]:
    def measure(results: Results) -> Measured | None:
        found = results.cpu_at(mine, theirs, rate)
        return Measured(found.ratio, f"{found.after:,.0f} and {found.before:,.0f} µs") if found else None

    return measure


def _latency(
    mine: tuple[str, float], theirs: tuple[str, float], of: Callable[[AtRate], float]
) -> Callable[[Results], Measured | None]:
    def measure(results: Results) -> Measured | None:
        one, other = results.at(*mine), results.at(*theirs)
        if one is None or other is None:
            return None
        return Measured(of(one) / of(other), f"{of(one):.1f} and {of(other):.1f} ms")

    return measure


def _added(measure: Callable[[Results], Measured | None]) -> Callable[[Results], Measured | None]:
    def added(results: Results) -> Measured | None:
        found = measure(results)
        return Measured(found.ratio - 1, found.of) if found else None

    return added


def _p50(one: AtRate) -> float:
    return one.p50


def _p99(one: AtRate) -> float:
    return one.p99


GOALS: Final = (
    Goal("orders/s traced, times the quickstart's", _times(OURS, QUICKSTART), "4.8", "6.2", 7, 10, at_least=True),
    Goal("orders/s traced, times FastStream's", _times(OURS, FASTSTREAM), "2.2", "2.8", 3.1, 4.5, at_least=True),
    Goal("orders/s untraced, times the quickstart's", _times(UNTRACED, QUICKSTART), "5.1", "8.2", 8, 12, at_least=True),
    Goal("CPU per order at once, of the quickstart's", _cpu(UNTRACED, QUICKSTART), "0.20", "0.12", 0.11, 0.08),
    Goal("the same, traced", _cpu(OURS, QUICKSTART), "0.20", "0.15", 0.11, 0.08),
    Goal("CPU per order at 20/s, times FastStream's", _cpu_at(UNTRACED, FASTSTREAM, 20), "1.6", "1.5", 1.3, 1.0),
    Goal("p50 at 100/s, times the own at 20/s", _latency((UNTRACED, 100), (UNTRACED, 20), _p50), "7", "4.5", 3, 2),
    Goal("p50 at 200/s, times the own at 20/s", _latency((UNTRACED, 200), (UNTRACED, 20), _p50), "12", "6", 4.5, 3),
    Goal("p50 at 20/s, of the quickstart's", _latency((UNTRACED, 20), (QUICKSTART, 20), _p50), "0.9", "0.9", 1.0, 0.8),
    Goal("p99 at 20/s, of the quickstart's", _latency((UNTRACED, 20), (QUICKSTART, 20), _p99), "1.3", "1.0", 1.1, 1.0),
    Goal(
        "what tracing adds to CPU per order at once",
        _added(_cpu(OURS, UNTRACED)),
        *("5-25 %", "25 %"),
        *(0.05, 0.02),
        percent=True,
    ),
    Goal(
        "what tracing adds to CPU per order at 20/s",
        _added(_cpu_at(OURS, UNTRACED, 20)),
        *("5-25 %", ""),
        *(0.05, 0.02),
        percent=True,
    ),
    Goal("orders/s traced, times FastStream's with an outbox", _times(OURS, OUTBOX), "", "", None, None),
    Goal("CPU per order at once, of FastStream's with an outbox", _cpu(UNTRACED, OUTBOX), "", "", None, None),
    Goal("orders/s untraced, share of the floor's", _times(UNTRACED, FLOOR), "0.27", "", None, None),
)
"""A goal that does not name tracing is of this project without it, as when the goals were set."""
