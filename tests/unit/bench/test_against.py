"""Two commits are compared, and only differences beyond chance count."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.against import Row, behind, of_bursts, of_rate, setting, table
from bench.flow_files import ROOT
from bench.measuring import Burst, Steady
from bench.tree import checked_out, extracted


def bursts(*cpu: float, provider: float = 100) -> list[Burst]:
    """Return bursts with these microseconds per order besides the provider's."""
    return [Burst(10, 1, {"services": round(10 * one), "provider": round(10 * provider)}, 0.5) for one in cpu]


def row(rows: Sequence[Row], figure: str) -> Row:
    """Return the row of one figure."""
    return next(one for one in rows if one.figure == figure)


def test_the_cpu_of_an_order_is_given_by_process_and_in_units_of_the_provider() -> None:
    """On a machine at half speed everything costs twice as much, the provider too."""
    rows = of_bursts(bursts(*[300] * 6), bursts(*[600] * 6, provider=200))
    services = row(rows, "CPU µs per order at once, services")
    assert (services.plain.before, services.plain.after, services.plain.ratio) == (300, 600, 2)
    assert services.in_units is not None
    assert services.in_units.ratio == 1
    assert row(rows, "CPU µs per order at once, all").plain.before == 400


def test_the_table_shows_what_differs() -> None:
    """Differences are bold, with the interval that holds the true ratio."""
    told = table(of_bursts(bursts(*[100] * 6), bursts(*[150] * 6)), "v1")
    assert "| CPU µs per order at once, services | 100 | 150 | **1.500** (1.50-1.50) | **1.500** (1.50-1.50) |" in told
    assert "| orders/s at once | 10 | 10 | 1.000 (1.00-1.00) |  |" in told


def test_a_rate_that_a_tree_did_not_keep_up_with_is_said() -> None:
    """Its figures would be those of a queue."""
    kept, not_kept = (Steady(100, 10, (5.0,), {"provider": 1}, kept_up=kept) for kept in (True, False))
    assert behind([kept, not_kept]) == "In 1 of 2 turns at 100/s orders came faster than they ended.\n"
    assert behind([kept, kept]) == ""


def test_the_latency_at_a_rate_is_compared() -> None:
    """Half the orders took longer than the p50 of their turn."""
    fast, slow = (Steady(20, 3, took, {"provider": 1}, kept_up=True) for took in ((1, 5, 9), (2, 10, 18)))
    assert row(of_rate([slow] * 6, [fast] * 6), "p50 ms at 20/s").plain.ratio == 0.5


@pytest.mark.parametrize("wrong", ["NAME", "=1", ""])
def test_a_setting_is_a_name_and_a_value(wrong: str) -> None:
    """Anything else is refused with a message."""
    assert setting("GATHER=a=b") == ("GATHER", "a=b")
    with pytest.raises(argparse.ArgumentTypeError, match="NAME=VALUE"):
        setting(wrong)


def test_a_commit_is_run_from_files_of_its_own(tmp_path: Path) -> None:
    """The compared tree is not touched; a name that git does not know ends the run with a message."""
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, check=False)
    if head.returncode:
        pytest.skip("this is no checkout of a repository")
    tree = extracted("HEAD", tmp_path / "tree")
    assert (tree / "choreography" / "__init__.py").exists()
    with pytest.raises(SystemExit, match="git knows no commit 'nowhere'"):
        extracted("nowhere", tmp_path / "tree")


def test_the_commit_that_is_measured_is_named() -> None:
    """Figures without a commit say nothing about any code."""
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, check=False)
    if head.returncode:
        assert checked_out() == ""
    else:
        assert head.stdout.decode().startswith(checked_out().rstrip("+"))
