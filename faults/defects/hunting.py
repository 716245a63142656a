"""Runs the tests with one defect switched on, and reports which test failed."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from faults.defects.seeding import ROOT, Defect, OutdatedDefectError, seed

ENGINE_TESTS: Final = ("tests/unit/engine",)
_PATIENCE: Final = 150.0
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S+?)(?:\[.*)?(?: - .*)?$", re.MULTILINE)
_BROKEN: Final = re.compile(
    r"^ERROR \S+\.py\b(?!::)|errors? during collection|SyntaxError|OutdatedDefectError", re.MULTILINE
)


@dataclass(frozen=True)
class Caught:
    """The result of one defect.

    Attributes:
        fate: caught by a test; survived all tests; or useless, because with it nothing can be imported.
        by: the first test that failed.
    """

    defect: str
    fate: Literal["caught", "survived", "broken"]
    by: str
    seconds: float
    output: str = ""


def tests_of(defects: Sequence[Defect]) -> list[str]:
    """Return the tests that might catch one of these defects."""
    return sorted({test for defect in defects for test in defect.tests or ENGINE_TESTS})


async def hunt(defect: Defect | None, tests: Sequence[str]) -> Caught:
    """Run the tests that might catch a defect, until the first one fails. Without a defect, all of them must pass."""
    name = defect.name if defect else "none"
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
    command += ["-p", "faults.defects.plugin", *(["--defect", name] if defect else []), *tests]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        # A defect that makes the engine loop forever is caught by the time limit.
        return Caught(name, "caught", f"nothing had ended after {_PATIENCE:.0f} s", time.monotonic() - began)
    text = output.decode(errors="replace")
    seconds = time.monotonic() - began
    if process.returncode == 0:
        return Caught(name, "survived", "", seconds, text)
    failed = _FAILED.search(text)
    if process.returncode != 1 or failed is None or _BROKEN.search(text):
        return Caught(name, "broken", "", seconds, text)
    return Caught(name, "caught", failed.group(1), seconds, text)


async def hunt_all(defects: Sequence[Defect], at_once: int, told: Callable[[Caught], None]) -> list[Caught]:
    """Hunt several defects, a few at a time."""
    places = asyncio.Semaphore(at_once)

    async def one(defect: Defect) -> Caught:
        async with places:
            caught = await hunt(defect, tests_of([defect]))
        told(caught)
        return caught

    hunts: list[Awaitable[Caught]] = [one(defect) for defect in defects]
    return list(await asyncio.gather(*hunts))


def outdated(defects: Sequence[Defect]) -> list[str]:
    """Return the defects whose original code no longer exists."""
    sentences: list[str] = []
    for defect in defects:
        try:
            seed(defect)
        except OutdatedDefectError as error:
            sentences.append(str(error))
        finally:
            sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != seed.__module__]
    return sentences
