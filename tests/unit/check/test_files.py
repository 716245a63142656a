"""Files for sidecars are checked also where a flow does not keep them: they are rendered for the check."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

from choreography.check import check

ROOT = Path(__file__).parents[3]
SERVICE = 'from choreography import Service\n\ndesk = Service("desk")\n'


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A flow of one service beside a copy of components/."""
    shutil.copytree(ROOT / "components", tmp_path / "components", ignore=shutil.ignore_patterns("*.py", "proto"))
    package = tmp_path / f"judged_{tmp_path.name}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "desk.py").write_text(SERVICE)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return package.name


def edit(file: Path, old: str, new: str) -> None:
    """Change a file as a person in a hurry would."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def told(flow: str) -> dict[str, str]:
    """Return the places that the check of component files names, by the thing that each finding is about."""
    return {one.about: one.file for one in check(flow).findings if one.code == "CHO401"}


def test_a_file_in_components_that_loses_messages_is_named(flow: str, tmp_path: Path) -> None:
    """Not the file that was rendered from it, which is gone by then; what brokers have alike is one finding."""
    assert told(flow) == {}
    edit(tmp_path / "components/resiliency.yaml", "maxRetries: -1", "maxRetries: 3")
    assert told(flow) == {
        "aws/pubsub.yaml": "components/brokers/aws.yaml",
        "nats/pubsub.yaml": "components/brokers/nats.yaml",
    }
    assert {path.name for path in (tmp_path / flow).iterdir()} <= {"__init__.py", "desk.py", "__pycache__"}
    assert not (tmp_path / ".run").exists()


def test_a_setting_of_one_broker_leads_to_its_file(flow: str, tmp_path: Path) -> None:
    """The files of the other brokers are sound."""
    (tmp_path / "components/brokers/pigeon.yaml").write_text(
        (tmp_path / "components/brokers/redis.yaml").read_text().replace("pubsub.redis", "pubsub.pigeon")
    )
    assert told(flow) == {"pigeon/pubsub.yaml": "components/brokers/pigeon.yaml"}


def test_files_that_are_kept_are_judged_as_they_are(flow: str, tmp_path: Path) -> None:
    """A sidecar reads these files, not the ones that would be rendered."""
    kept = tmp_path / flow / "dapr/redis"
    kept.mkdir(parents=True)
    (kept / "pubsub.yaml").write_text(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: pubsub}\n"
        "spec: {type: pubsub.pigeon, version: v1, metadata: []}\n"
    )
    assert f"{flow}/dapr/redis/pubsub.yaml" in told(flow).values()
