"""The pages that say where to look are true: the named files exist, and the picture matches the imports."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("CONTRIBUTING.md", "docs/architecture.md", "docs/dead-letters.md", "tests/README.md")
NAMED = {(page, name) for page in PAGES for name in re.findall(r"`([\w.-]+(?:/[\w.-]+)+)`", (ROOT / page).read_text())}


@pytest.fixture
def architecture() -> ModuleType:
    """The script, which lies in no package."""
    spec = importlib.util.spec_from_file_location("architecture", ROOT / ".ci/architecture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("page", "name"), sorted(NAMED))
def test_every_file_that_a_page_names_exists(page: str, name: str) -> None:
    """A reader who looks there finds it."""
    assert (ROOT / name).exists(), f"{page} names {name}"


def test_enough_files_are_named_for_the_test_to_mean_something() -> None:
    """A page without backticks would pass."""
    assert len(NAMED) > 40


def test_the_picture_shows_what_the_imports_are(architecture: ModuleType) -> None:
    """`.ci/architecture.py --write` draws it anew."""
    _, _, rest = architecture.PAGE.read_text().partition(architecture.BEGIN)
    assert rest.partition(architecture.END)[0].strip() == architecture.rendered()


def test_an_arrow_that_a_longer_way_shows_is_left_out(architecture: ModuleType) -> None:
    """Every other arrow is shown."""
    graph = {"web": {"engine", "fields"}, "engine": {"fields"}, "fields": set()}
    assert architecture.reduced(graph) == {"web": {"engine"}, "engine": {"fields"}, "fields": set()}


def test_no_package_imports_one_that_imports_it(architecture: ModuleType) -> None:
    """The picture has a top and a bottom."""
    graph = architecture.edges()
    assert not [box for box in graph if box in architecture.reached(graph, box)]


def test_every_page_and_every_decision_is_in_an_index() -> None:
    """A page without a link to it is not read."""
    for folder in (ROOT / "docs", ROOT / "docs/decisions"):
        index = (folder / "README.md").read_text()
        pages = {page.name for page in folder.glob("*.md")} - {"README.md"}
        assert not [page for page in pages if f"({page})" not in index]
