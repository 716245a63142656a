"""The figures as one picture: speed and cost by process at once, latency and cost at each rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.meter import GROUPS
from bench.results import FASTSTREAM, FLOOR, OURS, OUTBOX, QUICKSTART, UNTRACED, Results

_COLOURS: Final = {
    "services": "#2f6690",
    "sidecars": "#81c3d7",
    "broker": "#d1495b",
    "database": "#edae49",
    "provider": "#9aa5b1",
    "scheduler": "#66a182",
    "collector": "#d8d8d8",
}
_DARK: Final = "#2f6690"
_STYLES: Final = {
    OURS: "o-C0",
    UNTRACED: "o--C0",
    QUICKSTART: "s-C3",
    FASTSTREAM: "^--C1",
    OUTBOX: "^-C1",
    FLOOR: "d:C7",
}
"""What is a variant of another system has its colour."""
_BELOW: Final[dict[str, Any]] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.08)}


def draw(results: Results, folder: Path) -> None:
    """Write bench.png and bench.svg."""
    mpl.use("agg")
    # Without a fixed salt and date, every run would change every line of the file.
    plt.rcParams.update({"svg.hashsalt": "bench", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplot_mosaic([["speed", "cpu"], ["latency", "day"]], figsize=(11, 7.2), layout="constrained")
    _speed(axes["speed"], results)
    _cpu(axes["cpu"], results)
    _latency(axes["latency"], results)
    _day(axes["day"], results)
    figure.suptitle(
        f"One checkout flow, five services, all systems in turns, commit {results.commit or 'unknown'}",
        fontsize=11,
    )
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "bench.png", dpi=130, metadata={"Software": None})
    figure.savefig(folder / "bench.svg", metadata={"Date": None})
    plt.close(figure)


def _speed(axes: Any, results: Results) -> None:
    names = list(results.rounds)
    spreads = [results.rate(name) for name in names]
    rates = [one.median for one in spreads]
    errors = [[one.median - one.least for one in spreads], [one.largest - one.median for one in spreads]]
    bars = axes.barh(names, rates, xerr=errors, color=_DARK, ecolor="#444", capsize=2, height=0.6)
    axes.bar_label(bars, [f"{rate:.0f}" for rate in rates], padding=6)
    axes.invert_yaxis()
    axes.set(title="Orders per second (median, least to largest)", xlim=(0, max(rates) * 1.2))


def _cpu(axes: Any, results: Results) -> None:
    names = list(results.rounds)
    left = [0.0] * len(names)
    for group in GROUPS:
        used = [results.cpu(name)[group] / 1000 for name in names]
        if any(used):
            axes.barh(names, used, left=left, color=_COLOURS[group], label=group, height=0.6)
        left = [before + more for before, more in zip(left, used, strict=True)]
    axes.bar_label(axes.containers[-1], [f"{one:.2f}" for one in left], padding=4)
    axes.invert_yaxis()
    axes.legend(fontsize=8, frameon=False, ncols=len(GROUPS), columnspacing=0.8, handlelength=1, **_BELOW)
    axes.set(title="CPU milliseconds per order, by process", xlim=(0, max(left) * 1.15))


def _latency(axes: Any, results: Results) -> None:
    for name in results.rounds:
        known = {rate: found for rate in results.plan.rates if (found := results.at(name, rate))}
        axes.plot(list(known), [found.p50 for found in known.values()], _STYLES[name], label=name)
        axes.plot(list(known), [found.p99 for found in known.values()], _STYLES[name], alpha=0.3)
    _both_logarithmic(axes)
    axes.legend(fontsize=8, frameon=False, ncols=3, **_BELOW)
    axes.set(title="Milliseconds by orders a second: p50, and p99 in pale")


def _day(axes: Any, results: Results) -> None:
    for name in results.rounds:
        known = {rate: found for rate in results.plan.rates if (found := results.at(name, rate))}
        axes.plot(list(known), [found.cpu / 1000 for found in known.values()], _STYLES[name], label=name)
    _both_logarithmic(axes)
    axes.set(title="CPU milliseconds per order by orders a second")


def _both_logarithmic(axes: Any) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
