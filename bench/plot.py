"""The figures as one picture: speed, cost by process, latency, growth and replicas."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.meter import GROUPS
from bench.results import Results, p50_of, p99_of

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
_BELOW: Final[dict[str, Any]] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.08)}


def draw(results: Results, folder: Path) -> None:
    """Write bench.png and bench.svg."""
    mpl.use("agg")
    # Without a fixed salt and date every run would change every line of the file.
    plt.rcParams.update({"svg.hashsalt": "bench", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplot_mosaic(
        [["speed", "cpu"], ["latency", "growth"]], figsize=(11, 7.2), layout="constrained"
    )
    _speed(axes["speed"], results)
    _cpu(axes["cpu"], results)
    _latency(axes["latency"], results)
    _growth(axes["growth"], results)
    figure.suptitle(
        f"One checkout flow, five services, {results.plan.burst} orders a round, rounds: {results.plan.rounds}",
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
    names = list(results.rounds)
    places = range(len(names))
    for shift, which, told in ((-0.2, 0, "at 20 orders/s"), (0.2, 1, "at half of capacity")):
        p50 = [results.latency(name, which, p50_of) for name in names]
        p99 = [results.latency(name, which, p99_of) for name in names]
        where = [place + shift for place in places]
        colour = _DARK if which == 0 else "#edae49"
        axes.hlines(where, p50, p99, color=colour, linewidth=2)
        axes.plot(p50, where, "o", color=colour, label=told)
        axes.plot(p99, where, "|", color=colour, markersize=11)
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(fontsize=8, frameon=False, ncols=2, **_BELOW)
    axes.set(title="Milliseconds from created to dispatched: dot p50, bar p99")


def _growth(axes: Any, results: Results) -> None:
    for name, bursts in results.growth.items():
        done = list(accumulate(burst.orders for burst in bursts))
        axes.plot(done, [burst.total / 1000 for burst in bursts], "o-", label=name)
    highest = max((burst.total for bursts in results.growth.values() for burst in bursts), default=1000) / 1000
    axes.set(title="CPU milliseconds per order as orders pile up", xlabel="orders so far", ylim=(0, highest * 1.3))
    axes.legend(fontsize=8, frameon=False, ncols=2, loc="upper left")
    if results.replicas:
        counts = sorted(results.replicas)
        told = ", ".join(f"{count}: {results.replicas[count].per_second:.0f}" for count in counts)
        axes.text(0.02, 0.04, f"orders/s by replicas of every service: {told}", transform=axes.transAxes, fontsize=8)
