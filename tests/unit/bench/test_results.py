"""What is made of the figures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from bench.measuring import Burst, Run, Steady, share_of
from bench.plan import QUICK
from bench.report import tables, write_into
from bench.results import Results, Spread


def run(per_second: float, services: int, p50: float) -> Run:
    """One round of a system."""
    cpu = {"services": 1000 * services, "sidecars": 500_000, "collector": 10_000_000}
    steady = [Steady(rate, 100, (p50, p50, 2 * p50), {}, kept_up=True) for rate in (20, per_second / 2)]
    return Run([Burst(1000, 1000 / per_second, cpu, 1.5)], steady, {"order": 80.0, "redis": 10.0}, 950)


@pytest.fixture
def results() -> Results:
    """Three rounds of ours, one of each of the others."""
    found = Results(QUICK)
    found.rounds["choreography"] = [run(900, 300, 20), run(1000, 200, 22), run(700, 400, 30)]
    found.rounds["dapr quickstart"] = [run(90, 5500, 20)]
    found.rounds["faststream"] = [run(300, 1500, 10)]
    found.rounds["floor"] = [run(2000, 100, 9)]
    found.growth["choreography"] = [Burst(1000, 2, {"services": 1000}, 1.0), Burst(3000, 3, {"services": 6000}, 1.0)]
    found.replicas[2] = Burst(1000, 2, {"services": 3000}, 1.0)
    return found


def test_a_spread_is_the_median_with_the_extremes() -> None:
    """One slow round must not decide."""
    assert Spread.of([900, 1000, 700]) == Spread(900, 700, 1000)


def test_the_share_is_by_nearest_rank() -> None:
    """The value that so many did not exceed, never one in between that nobody had."""
    values = [float(value) for value in range(1, 101)]
    assert (share_of(values, 0.5), share_of(values, 0.99), share_of(values, 1.0)) == (50, 99, 100)
    assert share_of([7.0], 0.99) == 7
    assert math.isnan(share_of([], 0.5))


def test_who_collects_traces_is_not_counted_as_cost_of_an_order(results: Results) -> None:
    """It is shown beside the others."""
    assert results.total("choreography").median == 800
    assert results.cpu("choreography")["collector"] == 10_000


def test_the_ratios_are_ours_against_each_other(results: Results) -> None:
    """These are what the targets are about."""
    assert results.ratios() == {
        "times_quickstart": 10,
        "cpu_of_quickstart": 0.133,
        "p50_at_20_of_quickstart": 1.1,
        "p99_at_20_of_quickstart": 1.1,
        "times_faststream": 3,
        "of_floor": 0.45,
    }


def test_the_last_line_is_json(results: Results) -> None:
    """Others read it."""
    told = json.loads(json.dumps(results.as_json()))
    assert told["systems"]["choreography"]["orders_per_second"] == {"median": 900, "least": 700, "largest": 1000}
    assert told["growth"]["choreography"][1] == {"orders": 3000, "per_second": 1000, "cpu_us": 2}


def test_only_the_figures_of_a_document_change(results: Results, tmp_path: Path) -> None:
    """What people wrote around them stays, and a second run replaces what the first one wrote."""
    document = tmp_path / "bench.md"
    begin, end = "<!-- figures of the last full run: begin -->", "<!-- figures of the last full run: end -->"
    document.write_text(f"# Before\n{begin}\nold\n{end}\nAfter\n")
    write_into(document, results)
    write_into(document, results)
    text = document.read_text()
    assert text.startswith(f"# Before\n{begin}\n\n**Speed")
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
