"""Builds the program beside this file from its Go modules, once, and runs it: Dapr's own suite for pub/sub components.

``python -m tests.components.dapr_suite.suite`` only builds it, so that no test has to wait for that.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from choreography.progress import Progress
from choreography.up.go_modules import GoProject, obtain

_FOLDER: Final = Path(__file__).parent
_PROGRAM: Final = "dapr_suite"
_GIVES_UP_AFTER: Final = 240.0


@dataclass(frozen=True)
class Asked:
    """What the suite is to test.

    Attributes:
        socket: where the component is served.
        properties: the settings of its file.
        in_order: whether the component promises that messages come in their order.
        operations: what else it promises, such as ``bulkpublish``.
        seconds: after how long a message that did not come counts as lost.
    """

    socket: Path
    properties: Mapping[str, str] = field(default_factory=dict)
    in_order: bool = False
    operations: Sequence[str] = ("bulkpublish",)
    seconds: int = 30

    @property
    def text(self) -> str:
        """Return the file that the program reads; it publishes at once, and waits for no subscription to settle."""
        config: dict[str, Any] = {
            "checkInOrderProcessing": self.in_order,
            "waitDurationToPublish": "0s",
            "maxReadDuration": f"{self.seconds}s",
        }
        told = {"socket": str(self.socket), "properties": dict(self.properties), "operations": list(self.operations)}
        return json.dumps({**told, "config": config})


@dataclass(frozen=True)
class Verdict:
    """What the suite said.

    Attributes:
        passed, failed: the names of its tests.
        output: all of it.
    """

    passed: Sequence[str]
    failed: Sequence[str]
    output: str


def obtain_suite(progress: Progress) -> Path:
    """Return the program, and build it first if its sources have changed."""
    sources = b"".join((_FOLDER / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    project = GoProject(
        name="dapr-suite",
        version=f"1.18.3-{hashlib.sha256(sources).hexdigest()[:8]}",
        source=_FOLDER,
        packages=".",
        flags=("-ldflags", "-s -w"),
        why="Without Dapr's own suite nobody knows whether a component does what a sidecar expects. Install Go.",
        takes="2 minutes",
    )
    return obtain(progress, project, [_PROGRAM]) / _PROGRAM


async def run_suite(program: Path, asked: Asked) -> Verdict:
    """Run the whole suite once."""
    process = await asyncio.create_subprocess_exec(
        *[str(program), "-test.v"],
        env={"DAPR_SUITE": asked.text},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_GIVES_UP_AFTER):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    output = said.decode(errors="replace")
    results = re.findall(r"^ *--- (PASS|FAIL): Conformance(\S*)", output, re.MULTILINE)
    passed = [name for fate, name in results if fate == "PASS"]
    failed = [name for fate, name in results if fate == "FAIL"]
    assert (process.returncode == 0) == (bool(passed) and not failed), output
    return Verdict(passed, failed, output)


if __name__ == "__main__":
    obtain_suite(Progress())
