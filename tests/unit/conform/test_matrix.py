"""The results of the conformance kit are kept, and the page in the docs shows the same."""

import json
from pathlib import Path

import pytest
import yaml

from choreography.conform.broker_cases import BROKER_CASES
from choreography.conform.database_cases import DATABASE_CASES
from choreography.conform.matrix import keep, tables, write_into
from choreography.conform.result import FAILED, LEFT_OUT, PASSED, CaseResult, ConformReport, NotMetError, require
from choreography.conform.store_cases import STORE_CASES

DOCS = Path(__file__).parents[3] / "docs"


def report(name: str, outcome: str, told: str) -> ConformReport:
    """Return a report about one case of one broker."""
    found = ConformReport("broker", name, f"pubsub.{name}", f"{name} 1.0", "1.18.2")
    found.results.append(CaseResult(BROKER_CASES[0].name, outcome, told, 1.0))
    return found


def test_the_page_says_what_the_results_say() -> None:
    """A matrix that somebody edited by hand is worth nothing."""
    results = json.loads((DOCS / "conformance.json").read_text())
    assert tables(results) in (DOCS / "conformance.md").read_text()


def test_every_case_was_asked_of_every_component() -> None:
    """A new case must be run before the page can be trusted."""
    asked = {"broker": {case.name for case in BROKER_CASES}, "store": {case.name for case in STORE_CASES}}
    asked["database"] = asked["store"] | {case.name for case in DATABASE_CASES}
    for name, one in json.loads((DOCS / "conformance.json").read_text()).items():
        assert set(one["cases"]) == asked[one["kind"]], name


def test_every_component_file_has_been_put_to_the_test() -> None:
    """The page shows no other component."""
    files = (DOCS.parent / "components").glob("*s/*.yaml")
    found = json.loads((DOCS / "conformance.json").read_text())
    assert {name for name, one in found.items() if one["kind"] != "database"} == {file.stem for file in files}
    assert {name for name, one in found.items() if one["kind"] == "database"} == {"postgres-direct", "sqlite-direct"}


def test_what_was_put_to_the_test_is_what_the_file_names_today() -> None:
    """A component whose type has changed since then counts as untested."""
    found = json.loads((DOCS / "conformance.json").read_text())
    components = DOCS.parent / "components"
    files = {file.stem: file for kind in ("brokers", "stores") for file in (components / kind).glob("*.yaml")}
    today = {
        name: yaml.safe_load(files[name].read_text())["spec"]["type"]
        for name, one in found.items()
        if one["kind"] != "database"
    }
    assert {name: one["type"] for name, one in found.items() if name in today} == today


def test_results_of_one_component_leave_the_others_alone(tmp_path: Path) -> None:
    """A developer rarely has every server at hand."""
    file = tmp_path / "results.json"
    keep(report("one", PASSED, "as it should"), file, "2026-01-01")
    keep(report("two", FAILED, "it did not"), file, "2026-01-02")
    keep(report("one", LEFT_OUT, "not ours to stop"), file, "2026-01-03")
    known = json.loads(file.read_text())
    assert {name: (one["day"], *one["cases"][BROKER_CASES[0].name].values()) for name, one in known.items()} == {
        "one": ("2026-01-03", LEFT_OUT, "not ours to stop", 1.0),
        "two": ("2026-01-02", FAILED, "it did not", 1.0),
    }
    text = tables(known)
    assert f"| {BROKER_CASES[0].name} | not shown | **✗** |" in text
    assert "two: FAILED: it did not" in text


def test_a_page_without_a_place_for_the_results_is_refused(tmp_path: Path) -> None:
    """The page is not overwritten."""
    page = tmp_path / "conformance.md"
    page.write_text("# Mine\n")
    with pytest.raises(ValueError, match="has no place for the results"):
        write_into(page, {})
    assert page.read_text() == "# Mine\n"


def test_what_does_not_hold_is_said() -> None:
    """The page shows that sentence."""
    require(True, "never said")
    with pytest.raises(NotMetError, match="it left something behind"):
        require(False, "it left something behind")
