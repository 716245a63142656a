"""Two commits are held against each other, and only what is more than chance counts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.against import Figures, compared, extracted, table
from bench.flow_files import ROOT


def runs(*values: float) -> list[Figures]:
    """Return runs that showed these values."""
    return [Figures({"CPU": value}) for value in values]


def test_a_difference_counts_where_it_is_larger_than_between_runs_of_one_commit() -> None:
    """The medians are compared, so that one bad run decides nothing."""
    (row,) = compared(ours=runs(150, 155, 149), theirs=runs(100, 101, 99))
    assert (row["before"], row["after"], row["ratio"]) == (100, 150, 1.5)
    assert row["differs"]
    (row,) = compared(ours=runs(110, 160, 90), theirs=runs(100, 101, 99))
    assert not row["differs"]


def test_the_table_shows_what_differs() -> None:
    """In bold, beside how much the runs of one commit differ."""
    told = table(compared(ours=runs(150, 150), theirs=runs(100, 100)), "v1")
    assert "| CPU | 100 | 150 | **1.50** | 0% |" in told


def test_a_commit_is_run_from_files_of_its_own(tmp_path: Path) -> None:
    """The tree that is held against it is not touched; a name that git does not know ends it with a sentence."""
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, check=False)
    if head.returncode:
        pytest.skip("this is no checkout of a repository")
    tree = extracted("HEAD", tmp_path / "tree")
    assert (tree / "choreography" / "__init__.py").exists()
    with pytest.raises(SystemExit, match="git knows no commit 'nowhere'"):
        extracted("nowhere", tmp_path / "tree")
