"""The emulator of AWS, and the component that runs beside each sidecar."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from choreography.progress import Progress
from choreography.up import MissingToolError
from choreography.up.brokers import BROKERS, Pluggable
from choreography.up.brokers.broker import SOCKETS_FOLDER
from choreography.up.brokers.eventbridge import EventBridge, find_eventbridge


class Place:
    """A run folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def port(self, _: str) -> int:
        """Any port."""
        return 4566

    def folder(self, name: str) -> Path:
        """A folder below."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.root / f"{name}.log"


@pytest.mark.parametrize("name", ["aws", "eventbridge"])
def test_without_its_emulator_aws_is_refused_and_the_extra_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto is no dependency of a flow that does not ask for it."""
    found = importlib.util.find_spec

    def find_spec(wanted: str) -> Any:
        return None if wanted == "moto" else found(wanted)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(MissingToolError, match=r"choreography\[provision,brokers\]"):
        BROKERS[name](Progress.silent())


def test_each_sidecar_has_a_component_of_its_own(tmp_path: Path) -> None:
    """One shared process could not distinguish their calls."""
    broker = EventBridge(tmp_path / "components" / "eventbridge")
    assert isinstance(broker, Pluggable)
    folders = {
        broker.component(Place(tmp_path), name, 4566).environment[SOCKETS_FOLDER] for name in ("order", "order-2")
    }
    assert len(folders) == 2


def test_a_run_folder_with_a_long_path_has_its_sockets_elsewhere(tmp_path: Path) -> None:
    """The kernel takes 107 bytes for the path of a socket."""
    program = EventBridge(tmp_path).component(Place(tmp_path / ("x" * 90)), "order", 4566)
    socket = Path(program.environment[SOCKETS_FOLDER]) / "aws.eventbridge.sock"
    assert len(os.fsencode(socket)) <= 100
    assert socket.parent.is_dir()


def test_only_what_a_sidecar_reaches_by_a_component_is_pluggable() -> None:
    """The sidecar itself connects to every other broker."""
    assert isinstance(find_eventbridge(Progress.silent()), Pluggable)
    assert not isinstance(BROKERS["aws"](Progress.silent()), Pluggable)
