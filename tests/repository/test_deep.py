"""Long checks are recorded when they run, and otherwise the age of their last record is printed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PARTS = {"good": ("true",), "bad": ("false",), "other": ("true",)}


@pytest.fixture
def deep() -> ModuleType:
    """The script, which lies in no package."""
    spec = importlib.util.spec_from_file_location("deep", ROOT / ".ci/deep.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_run_is_recorded_with_its_commit_its_date_and_how_it_ended(deep: ModuleType, tmp_path: Path) -> None:
    """A failed run is recorded too, and the records of other parts stay."""
    records = tmp_path / "deep.json"
    assert deep.run("good", records, PARTS)
    assert not deep.run("bad", records, PARTS)
    told = deep.read(records)
    assert {name: record["passed"] for name, record in told.items()} == {"good": True, "bad": False}
    for record in told.values():
        assert re.fullmatch(r"[0-9a-f]{12}\+?|unknown", record["commit"])
        assert datetime.now(UTC) - datetime.fromisoformat(record["date"]) < timedelta(minutes=5)


def test_the_age_of_each_part_is_told(deep: ModuleType, tmp_path: Path) -> None:
    """A part that was never run is reported as such."""
    records = tmp_path / "deep.json"
    deep.run("good", records, PARTS)
    deep.run("bad", records, PARTS)
    good, bad, other = deep.ages(records, PARTS, now=datetime.now(UTC) + timedelta(days=3, hours=1))
    assert good.startswith("good: passed 3 days ago, at ")
    assert bad.startswith("bad: FAILED 3 days ago, at ")
    assert other == "other: never run"


def test_every_part_is_a_verb_of_the_makefile(deep: ModuleType) -> None:
    """A reader of a record can run the same by hand."""
    makefile = (ROOT / "Makefile").read_text()
    for program, verb in deep.PARTS.values():
        assert program == "make"
        assert re.search(rf"^{verb}:", makefile, re.MULTILINE), verb


def test_a_part_that_is_not_known_is_named_with_those_that_are() -> None:
    """Nothing runs then."""
    done = subprocess.run(
        [sys.executable, ROOT / ".ci/deep.py", "explorre"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("explorre: no such part. Known are: explore, ")
