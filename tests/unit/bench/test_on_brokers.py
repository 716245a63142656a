"""The figures by which a user chooses a broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.choosing import BEGIN, END, UNMEASURED, WHEN, table, write_into
from bench.on_brokers import Turn, summed_up
from choreography.up.brokers import BROKERS

DOCS = Path(__file__).parents[3] / "docs"


def turn(per_second: float, p50: float = 40.0) -> Turn:
    """Return one turn of a broker."""
    return Turn("Pigeon 1.0", 1200, per_second, 9_000, 700, p50, 2 * p50)


def result(*turns: Turn) -> dict[str, object]:
    """Return the recorded result of some turns."""
    return {"day": "2026-11-24", "cpus": 2, **summed_up(turns)}


def test_of_several_turns_the_median_is_kept_with_the_extremes() -> None:
    """One turn on a busy machine must not decide."""
    kept = summed_up([turn(100), turn(10), turn(120)])
    assert (kept["per_second"], kept["slowest"], kept["fastest"], kept["rounds"]) == (100, 10, 120, 3)


def test_a_broker_is_shown_with_its_figures_and_its_advice() -> None:
    """The row of a broker says what it reached and when to take it."""
    row = next(line for line in table({"kafka": result(turn(120))}).splitlines() if line.startswith("| kafka"))
    assert "| kafka | **120** (120-120) | 9000, 700 | 40 / 80 |" in row
    assert WHEN["kafka"] in row


def test_a_broker_without_figures_says_so() -> None:
    """An empty cell would be read as a slow one."""
    row = next(line for line in table({"kafka": result(turn(120))}).splitlines() if line.startswith("| aws"))
    assert "not measured" in row


def test_a_broker_that_was_not_measured_today_keeps_its_row(tmp_path: Path) -> None:
    """Measuring one broker again keeps the figures of the others."""
    (tmp_path / "conformance.md").write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    write_into(tmp_path, {"redis": result(turn(200))})
    write_into(tmp_path, {"nats": result(turn(50))})
    text = (tmp_path / "conformance.md").read_text()
    assert "**200**" in text
    assert "**50**" in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")


@pytest.mark.parametrize("broker", BROKERS)
def test_every_broker_has_its_advice(broker: str) -> None:
    """A broker that can be chosen says when to choose it."""
    assert WHEN[broker]


def test_the_committed_table_is_the_one_that_was_measured() -> None:
    """The figures in the docs are rendered, never typed."""
    measured = json.loads((DOCS / "brokers.json").read_text())
    assert set(measured) | UNMEASURED.keys() == {name for name in BROKERS if name not in ("aws", "eventbridge")}
    assert table(measured) in (DOCS / "conformance.md").read_text()
