"""Commands that pages tell a person to type exist, and `make help` shows every target."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))
PAGES = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "components").rglob("*.md")
]  # fmt: skip
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_verb_that_a_page_names_is_in_the_makefile(page: Path) -> None:
    """A newcomer types that verb."""
    named = re.findall(r"(?:^|`)make ((?:[a-z][a-z0-9-]*)?)", page.read_text(), re.MULTILINE)
    assert not {verb for verb in named if verb} - TARGETS


def test_help_shows_every_verb_in_a_group() -> None:
    """A target without a line there is a part of one that has a line."""
    shown = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    verbs = set(re.findall(r"^  make ([a-z0-9-]+) ", shown, re.MULTILINE))
    parts = {target for target in TARGETS if target.startswith("deep-")} | {"help", "integration", "tools"}
    assert verbs == TARGETS - parts
    assert len(re.findall(r"^[A-Z].*$", shown, re.MULTILINE)) >= 4
    assert all(len(line) > 20 for line in shown.splitlines() if line.startswith("  make"))


def test_every_target_is_phony() -> None:
    """A folder of the same name would hide it: there is a `faults`, a `bench`, a `lab`."""
    phony = set(" ".join(re.findall(r"^\.PHONY:(.*)$", MAKEFILE, re.MULTILINE)).split())
    assert phony == TARGETS


@pytest.mark.parametrize("half", ["", "quick"])
def test_the_parts_of_the_gate_are_verbs_or_files(half: str) -> None:
    """Everything that the gate runs can be run by hand."""
    gate = (ROOT / ".ci/run").read_text()
    body = re.search(rf"^{half or 'everything'}\(\) \{{\n(.*?)^\}}", gate, re.MULTILINE | re.DOTALL)
    assert body
    verbs = re.findall(r"\bmake ([a-z0-9-]+)", body[1])
    assert len(verbs) >= 3
    assert set(verbs) <= TARGETS
    assert all((ROOT / path).exists() for path in re.findall(r" (\.ci/\w+)", body[1]))


def test_a_half_that_is_not_known_is_named_with_those_that_are() -> None:
    """Nothing runs then."""
    done = subprocess.run([".ci/run", "quik"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("quik is no half of the gate. Known are: ")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_the_gate_with_pinned_actions_and_few_permissions(workflow: Path) -> None:
    """The checks are listed once, in .ci/run."""
    told = yaml.safe_load(workflow.read_text())
    assert told["permissions"] == {}
    for job in told["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"]
        uses = [step["uses"] for step in job["steps"] if "uses" in step]
        assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one) for one in uses)
        assert [step["run"] for step in job["steps"] if "run" in step] in ([".ci/run"], [".ci/run quick"])
