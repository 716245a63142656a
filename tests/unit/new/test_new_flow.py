"""`choreography new` makes a complete flow that passes its tests, its check and its exploration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

BIN = Path(sys.executable).parent


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Type a command in a folder."""
    return subprocess.run(
        [str(BIN / words[0]), *words[1:]], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a flow in an empty folder."""
    folder = tmp_path_factory.mktemp("own")
    told = run(folder, "choreography", "new", "apps/visits")
    assert told.returncode == 0, told.stdout + told.stderr
    return folder


def test_a_new_flow_has_everything_it_needs_to_run(made: Path) -> None:
    """Services, run file, Dapr files and the components they are rendered from."""
    for path in ("visit.py", "door.py", "dapr.yaml"):
        assert (made / "apps/visits" / path).is_file(), path
    for path in ("FLOW.md", "dapr/redis/pubsub.yaml"):
        assert (made / ".run/visits/rendered" / path).is_file(), path
    named = yaml.safe_load((made / "apps/visits/dapr.yaml").read_text())["common"]
    assert all((made / "apps/visits" / path).resolve().is_dir() for path in named["resourcesPaths"])
    assert (made / "apps/visits" / named["configFilePath"]).resolve().is_file()
    assert (made / "components/brokers/redis.yaml").is_file()


def test_a_new_flow_passes_its_own_tests(made: Path) -> None:
    """The first thing a newcomer does."""
    told = run(made, "pytest", "-q", "apps/visits")
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("verb", [("check",), ("explore",), ("render", "--check")])
def test_a_new_flow_is_sound(made: Path, verb: tuple[str, ...]) -> None:
    """Nothing between its services is wrong, in any order of events."""
    told = run(made, "choreography", verb[0], "apps.visits", *verb[1:])
    assert told.returncode == 0, told.stdout + told.stderr


def test_nothing_is_overwritten(made: Path) -> None:
    """A folder with something in it is refused."""
    told = run(made, "choreography", "new", "apps/visits")
    assert told.returncode == 2
    assert "is not empty" in told.stderr


@pytest.mark.parametrize("name", ["apps/my-flow", "class", "9lives/flow", ""])
def test_a_name_that_cannot_be_imported_is_refused(made: Path, name: str) -> None:
    """The folder is the package."""
    told = run(made, "choreography", "new", name)
    assert told.returncode == 2
    assert "Name a folder below this one" in told.stderr
