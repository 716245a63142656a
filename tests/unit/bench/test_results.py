"""Measured figures become medians, ratios, goals, tables and pictures."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.goals import GOALS, Goal, Measured
from bench.measuring import Burst, Run, Steady, share_of
from bench.plan import Plan
from bench.report import tables, write_into
from bench.results import AtRate, Results, Spread

PLAN = Plan(
    rounds=1,
    turns=2,
    burst=1000,
    rates={20: 5, 100: 3},
    growth=(),
    growing=(),
    replicas=(),
    replica_burst=0,
)


def turn(rate: float, p50: float, cpu: int, *, kept_up: bool = True) -> Steady:
    """Orders at a rate, the slowest of which took twice as long as the others."""
    used = {"services": 10 * cpu, "collector": 10_000_000}
    return Steady(rate, 10, (p50,) * 9 + (2 * p50,), used, kept_up=kept_up)


def at_rates(cpu: int, p50: float, *, able: bool = True) -> dict[float, list[Steady | None]]:
    """Two turns at each rate."""
    slow, fast = turn(20, p50, 10 * cpu), turn(100, 3 * p50, 5 * cpu)
    return {20: [slow, slow], 100: [fast, replace(fast, kept_up=able)]}


def run(per_second: float, cpu: int) -> Run:
    """One round of a system: two bursts on a machine that became half as fast."""
    used = {"services": 1000 * (cpu - 500), "sidecars": 500_000, "collector": 10_000_000}
    slower = {group: 2 * one for group, one in used.items()}
    bursts = [Burst(1000, 1000 / per_second, used, 1.5), Burst(1000, 2000 / per_second, slower, 1.5)]
    return Run(bursts, {"order": 80.0, "redis": 10.0}, 950)


@pytest.fixture
def results() -> Results:
    """One round of each system."""
    found = Results(PLAN, commit="0123456789ab")
    for name, per_second, cpu, p50 in (
        ("choreography", 700, 1050, 20),
        ("choreography, untraced", 800, 1000, 18),
        ("dapr quickstart", 100, 10_000, 20),
        ("faststream", 200, 5_000, 10),
        ("floor", 2000, 600, 9),
    ):
        found.rounds[name] = [run(per_second, cpu)]
        for rate, turns in at_rates(cpu, p50, able=name != "dapr quickstart").items():
            found.rates[name, rate] = turns
    found.idle = {name: [40_000.0] for name in found.rounds}
    found.growth["choreography"] = [Burst(1000, 2, {"services": 1000}, 1.0), Burst(3000, 3, {"services": 6000}, 1.0)]
    found.replicas[2] = Burst(1000, 2, {"services": 3000}, 1.0)
    return found


def goal(what: str) -> Goal:
    """Return the goal of this name."""
    return next(one for one in GOALS if one.what == what)


def test_a_spread_is_the_median_with_the_extremes() -> None:
    """One slow turn must not decide."""
    assert Spread.of([900, 1000, 700]) == Spread(900, 700, 1000)


def test_the_share_is_by_nearest_rank() -> None:
    """It is a measured value that this share of orders did not exceed, and is never interpolated."""
    values = [float(value) for value in range(1, 101)]
    assert (share_of(values, 0.5), share_of(values, 0.99), share_of(values, 1.0)) == (50, 99, 100)
    assert share_of([7.0], 0.99) == 7
    assert math.isnan(share_of([], 0.5))


def test_who_collects_traces_is_not_counted_as_cost_of_an_order(results: Results) -> None:
    """It is shown beside the others."""
    assert results.total("choreography") == Spread(1575, 1050, 2100)
    assert results.cpu("choreography")["collector"] == 15_000
    assert results.at("choreography", 20) == AtRate(20, 40, 10_500)


@pytest.mark.parametrize(
    ("what", "ratio"),
    [
        ("orders/s traced, times the quickstart's", 7),
        ("orders/s traced, times FastStream's", 3.5),
        ("orders/s untraced, times the quickstart's", 8),
        ("CPU per order at once, of the quickstart's", 0.1),
        ("the same, traced", 0.105),
        ("CPU per order at 20/s, times FastStream's", 0.2),
        ("p50 at 100/s, times the own at 20/s", 3),
        ("p50 at 20/s, of the quickstart's", 0.9),
        ("p99 at 20/s, of the quickstart's", 0.9),
        ("what tracing adds to CPU per order at once", 0.05),
        ("orders/s untraced, share of the floor's", 0.4),
    ],
)
def test_a_goal_is_a_ratio_of_turns_that_followed_each_other(results: Results, what: str, ratio: float) -> None:
    """The machine slowed to half its speed in between, which no ratio shows."""
    measured = goal(what).measure(results)
    assert measured is not None
    assert measured.ratio == pytest.approx(ratio)


def test_a_goal_shows_the_figures_whose_ratio_it_is(results: Results) -> None:
    """A slow rival would improve the ratio, so the figures themselves stand beside it."""
    row = next(line for line in tables(results).splitlines() if line.startswith("| orders/s traced, times the quick"))
    assert row.endswith("| 4.8 | 6.2 | 7 | 10 | **7** | 525 and 75 orders/s | must |")


@pytest.mark.parametrize(
    ("at_least", "ratio", "reached"),
    [
        (True, 10, "ambition"),
        (True, 7.0, "must"),
        (True, 6.994, "no"),
        (True, 6.999, "must"),
        (False, 0.9, "ambition"),
        (False, 7.0, "ambition"),
        (False, 9.9, "must"),
        (False, 10.1, "no"),
    ],
)
def test_a_goal_is_reached_by_the_figure_that_is_shown(at_least: bool, ratio: float, reached: str) -> None:
    """A table that shows 7 and wants 7 says that it is reached."""
    must, ambition = (7, 10) if at_least else (10, 7)
    wanted = Goal("", lambda _: None, "", "", must, ambition, at_least=at_least)
    assert wanted.reached(Measured(ratio, "")) == reached


def test_a_system_that_did_not_keep_up_has_no_figures_of_that_rate(results: Results) -> None:
    """Its figures would show how long orders were sent, and nothing about the system."""
    assert results.at("dapr quickstart", 100) is None
    row = next(line for line in tables(results).splitlines() if line.startswith("| dapr quickstart | 20 / 40"))
    assert row == "| dapr quickstart | 20 / 40 | over its capacity |"


def test_a_rate_that_a_system_was_not_asked_for_is_over_its_capacity(results: Results) -> None:
    """In half of the turns its bursts had been slower than that rate."""
    (first, _) = results.rates["choreography, untraced", 100]
    results.rates["choreography, untraced", 100] = [first, None]
    assert results.at("choreography, untraced", 100) is None
    wanted = goal("p50 at 100/s, times the own at 20/s")
    assert wanted.measure(results) is None
    assert wanted.reached(None) == "no figure"


def test_one_bad_turn_of_three_is_in_the_figures_of_a_system_that_kept_up(results: Results) -> None:
    """Without it the system would look better than it was."""
    (good, _) = results.rates["faststream", 20]
    assert good is not None
    results.rates["faststream", 20] = [good, good, replace(good, took=(900.0,) * 10, kept_up=False)]
    assert results.at("faststream", 20) == AtRate(10, 900, 50_000)


def test_turns_are_compared_with_turns_beside_them(results: Results) -> None:
    """If one of the two systems was not measured, there is no pair."""
    results.rates["choreography, untraced", 20] = [turn(20, 18, 1000), turn(20, 18, 1000), turn(20, 18, 1000)]
    results.rates["faststream", 20] = [turn(20, 10, 500), None, turn(20, 10, 500)]
    found = results.cpu_at("choreography, untraced", "faststream", 20)
    assert found is not None
    assert found.ratio == 2


def test_a_goal_of_a_system_that_was_not_run_has_no_figure(results: Results) -> None:
    """Only some of the systems were measured."""
    for name in ("dapr quickstart", "faststream", "floor", "choreography"):
        del results.rounds[name], results.rates[name, 20], results.rates[name, 100]
    measured = {one.what for one in GOALS if one.measure(results)}
    assert measured == {"p50 at 100/s, times the own at 20/s"}
    assert "not run, or over its capacity" in tables(results)


def test_the_last_line_is_json(results: Results) -> None:
    """Other programs read it."""
    told = json.loads(json.dumps(results.as_json()))
    assert told["commit"] == "0123456789ab"
    assert told["systems"]["floor"]["orders_per_second"] == {"median": 1500, "least": 1000, "largest": 2000}
    assert told["systems"]["dapr quickstart"]["at"] == {"20": {"p50": 20, "p99": 40, "cpu": 100_000}, "100": None}
    assert told["growth"]["choreography"][1] == {"orders": 3000, "per_second": 1000, "cpu_us": 2}


def test_only_the_figures_of_a_document_change(results: Results, tmp_path: Path) -> None:
    """The text around the figures stays, and a second run replaces the figures of the first."""
    document = tmp_path / "bench.md"
    begin, end = "<!-- figures of the last full run: begin -->", "<!-- figures of the last full run: end -->"
    document.write_text(f"# Before\n{begin}\nold\n{end}\nAfter\n")
    write_into(document, results)
    write_into(document, results)
    text = document.read_text()
    assert text.startswith(f"# Before\n{begin}\n\n**Speed at once: commit 0123456789ab")
    assert text.endswith(f"{end}\nAfter\n")
    assert "old" not in text
    assert text.count(tables(results)) == 1


def test_a_document_without_a_place_is_left_alone(results: Results, tmp_path: Path) -> None:
    """Better an error than figures in the wrong place."""
    document = tmp_path / "bench.md"
    document.write_text("# Only words\n")
    with pytest.raises(ValueError, match="no place for the results"):
        write_into(document, results)


def test_the_picture_is_drawn(results: Results, tmp_path: Path) -> None:
    """Both files, where matplotlib is installed."""
    pytest.importorskip("matplotlib")
    from bench.plot import draw  # noqa: PLC0415 - it needs what development does not

    draw(results, tmp_path)
    assert (tmp_path / "bench.png").stat().st_size > 10_000
    assert (tmp_path / "bench.svg").read_text().count("<svg") == 1
