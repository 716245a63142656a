"""Findings are reported, suppressed and counted."""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from choreography.check import RULES, CheckReport, check, judge_services
from choreography.check.checking import _BY_CODE
from choreography.check.finding import CheckError
from choreography.check.machine_report import as_json, as_sarif
from choreography.check.suppressions import Suppression, read_suppressions
from choreography.check.text_report import tell
from tests.unit.check.flaws import beds, journeys, seats, trips

ROOT = Path(__file__).resolve().parents[3]
KNOWN = Suppression("CHO202", "journeys.prepare", "A person looks at every journey each morning.")


def flawed(*suppressions: Suppression) -> CheckReport:
    """A flow in which one wait has no end."""
    return judge_services(trips(overdue=None), seats(), beds(), journeys(), suppressions=suppressions, flow="trips")


def codes(report: CheckReport) -> list[str]:
    """Return the codes of the findings that are not suppressed."""
    return [finding.code for finding in report.findings]


def test_checkout_is_green() -> None:
    """The flow we ship passes its own lint, and has nothing to suppress."""
    report = check("apps.checkout")
    assert (report.findings, report.suppressed) == ((), ())


def test_a_suppressed_finding_does_not_fail_the_check_and_keeps_its_reason() -> None:
    """It is known, not forgotten."""
    assert codes(flawed()) == ["CHO202"]
    report = flawed(KNOWN)
    assert codes(report) == []
    assert [reason for _, reason in report.suppressed] == [KNOWN.reason]
    assert (flawed().exit_code, report.exit_code) == (1, 0)


def test_a_suppression_that_suppresses_nothing_is_a_finding() -> None:
    """It would hide the next one of its kind."""
    report = judge_services(trips(), seats(), beds(), journeys(), suppressions=[KNOWN])
    assert codes(report) == ["CHO901"]
    assert "suppresses nothing" in report.findings[0].what


def test_a_suppression_without_a_reason_does_not_apply() -> None:
    """It is reported beside the finding that it wanted to hide."""
    assert codes(flawed(Suppression("CHO202", "journeys.prepare", ""))) == ["CHO202", "CHO902"]


def test_suppressions_are_read_from_beside_the_services(tmp_path: Path) -> None:
    """One table per finding, with its reason."""
    (tmp_path / "check.toml").write_text(
        f'[[suppress]]\nrule = "{KNOWN.rule}"\nabout = "{KNOWN.about}"\nreason = "{KNOWN.reason}"\n'
    )
    assert read_suppressions(tmp_path, _BY_CODE) == (KNOWN,)
    assert read_suppressions(tmp_path / "nowhere", _BY_CODE) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[suppress", "cannot be read as TOML"),
        ("[ignore]\n", "has 'ignore', which is no suppression"),
        ('[[suppress]]\nrule = "CHO202"\n', "which is no suppression"),
        ('[[suppress]]\nrule = "CHO202"\nabout = "a"\nwhy = "b"\n', "which is no suppression"),
        ('[[suppress]]\nrule = "CHO999"\nabout = "a"\nreason = "b"\n', "'CHO999', which is no rule"),
    ],
)
def test_suppressions_that_cannot_be_understood_are_refused(tmp_path: Path, text: str, told: str) -> None:
    """A spelling mistake must not switch a rule off, nor pass in silence."""
    (tmp_path / "check.toml").write_text(text)
    with pytest.raises(CheckError, match=told):
        read_suppressions(tmp_path, _BY_CODE)


def test_the_text_says_what_why_and_what_to_do() -> None:
    """It uses the words of the rule and names the place in the code."""
    out = io.StringIO()
    tell(flawed(), Console(file=out, width=200))
    text = out.getvalue()
    for word in ("CHO202", "a wait without a deadline", "flaws.py:", "what", "why", "do", "about", "journeys.prepare"):
        assert word in text
    assert "1 thing is wrong with trips (4 services" in text
    out = io.StringIO()
    tell(flawed(KNOWN), Console(file=out, width=200))
    assert f"journeys.prepare  stands because: {KNOWN.reason}" in out.getvalue()
    assert "Nothing is wrong with trips" in out.getvalue()


def test_the_json_is_the_same_for_the_same_findings() -> None:
    """A build can compare two of them."""
    assert as_json(flawed(KNOWN)) == as_json(flawed(KNOWN))
    content = json.loads(as_json(flawed()))
    assert content["flow"] == "trips"
    assert content["services"] == ["trips", "seats", "beds", "journeys"]
    (finding,) = content["findings"]
    assert list(finding) == ["code", "about", "what", "why", "do", "title", "file", "line"]
    assert content["suppressed"] == []


def test_the_sarif_has_what_its_standard_requires() -> None:
    """Code scanning refuses a file that lacks any of it."""
    content = json.loads(as_sarif(flawed(KNOWN), RULES))
    assert content["version"] == "2.1.0"
    (run,) = content["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    assert [rule["id"] for rule in driver["rules"]] == [rule.code for rule in RULES]
    assert all(rule["shortDescription"]["text"] and rule["fullDescription"]["text"] for rule in driver["rules"])
    (result,) = run["results"]
    assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "CHO202"
    assert result["message"]["text"]
    assert result["level"] in {"none", "note", "warning", "error"}
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "flaws.py"
    assert place["region"]["startLine"] >= 1
    assert result["suppressions"] == [{"kind": "external", "justification": KNOWN.reason}]
    assert next(iter(result["partialFingerprints"].values()))


def run(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    command = [sys.executable, "-c", "from choreography.cli import main; main()", "check", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_exit_code_is_0_where_nothing_is_wrong() -> None:
    """The command also says that nothing is wrong."""
    ended = run("apps.checkout")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Nothing is wrong with apps.checkout" in ended.stdout


def flow_in(folder: Path, text: str) -> str:
    """Write a flow of one service."""
    package = folder / "lonely"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "shout.py").write_text(text)
    return "lonely"


LONELY = """
from choreography import Event, Id, Service

class Shouted(Event, owner="shout", subject="who", type="who.shouted.v1"):
    who: Id

shout = Service("shout", publishes=[Shouted])
"""


def test_the_exit_code_is_1_where_something_is_wrong(tmp_path: Path) -> None:
    """A build fails on it, and a program can read why."""
    ended = run(flow_in(tmp_path, LONELY), "--format", "json", folder=tmp_path)
    assert ended.returncode == 1, ended.stderr
    findings: list[dict[str, Any]] = json.loads(ended.stdout)["findings"]
    assert [(one["code"], one["file"]) for one in findings] == [
        ("CHO101", "lonely/shout.py"),
        ("CHO103", "lonely/shout.py"),
        ("CHO113", "lonely/__init__.py"),
    ]


@pytest.mark.parametrize("text", ["import nothing_there\n", "def broken(:\n", "x = 1\n"])
def test_the_exit_code_is_2_where_nobody_can_tell(tmp_path: Path, text: str) -> None:
    """A check that could not run differs from a check that found something."""
    ended = run(flow_in(tmp_path, text), folder=tmp_path)
    assert ended.returncode == 2
    assert "lonely" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_rules_are_described_as_they_are() -> None:
    """The table in the docs names every rule by its code and title, and no other."""
    page = (ROOT / "docs" / "check.md").read_text()
    rows = [line.split(" | ")[:2] for line in page.splitlines() if line.startswith("| CHO")]
    assert [(code.removeprefix("| "), title) for code, title in rows] == [(rule.code, rule.title) for rule in RULES]


def test_no_rule_needs_a_service_to_be_started() -> None:
    """The lint is imported without the web server and the sidecar driver."""
    code = "import sys, choreography.check; print([m for m in sys.modules if m.startswith(('aiohttp', 'fastapi'))])"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
    assert importlib.import_module("choreography.check")
