"""A fault run lets some processes of a flow end by themselves, and starts some a second time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from choreography.up import ProcessDiedError
from choreography.up.processes import Processes, Program

FLAKY = "if [ -e {flag} ]; then touch {ready}; exec sleep 60; else touch {flag}; exit 1; fi"


def _flaky(folder: Path, starts: int) -> Program:
    flag, is_ready = folder / "tried", folder / "ready"

    async def ready() -> None:
        for _ in range(500):
            if is_ready.exists():
                return
            await asyncio.sleep(0.02)

    command = FLAKY.format(flag=flag, ready=is_ready)
    return Program("flaky", ["sh", "-c", command], folder / "log", ready=ready, starts=starts)


async def test_what_dies_while_it_starts_may_be_started_again(tmp_path: Path) -> None:
    """A sidecar that waited too long for another's lock is not a flow that cannot run."""
    async with Processes() as processes:
        (flaky,) = processes.wave([_flaky(tmp_path, starts=2)])
        await flaky.start()
        await flaky.until_ready()
        assert flaky.running
        assert processes.death is None


async def test_what_dies_at_every_start_is_told(tmp_path: Path) -> None:
    """The number of starts is limited."""
    async with Processes() as processes:
        (flaky,) = processes.wave([_flaky(tmp_path, starts=1)])
        await flaky.start()
        with pytest.raises(ProcessDiedError, match="exit code 1"):
            await flaky.until_ready()
        assert processes.death is not None


async def test_what_was_ready_once_is_not_started_again_in_silence(tmp_path: Path) -> None:
    """A death in the middle of a run is reported."""
    async with Processes() as processes:
        (flaky,) = processes.wave([_flaky(tmp_path, starts=2)])
        await flaky.start()
        await flaky.until_ready()
        flaky._send(9)  # type: ignore[arg-type]
        await asyncio.wait_for(processes.until_death(), 5)


async def test_what_may_end_is_not_reported(tmp_path: Path) -> None:
    """A server on a full disk may end; the test that filled the disk expects that."""
    async with Processes() as processes:
        (brief,) = processes.wave([Program("brief", ["sh", "-c", "sleep 0.3; exit 3"], tmp_path / "log")])
        await brief.start()
        brief.may_end()
        while brief.running:  # noqa: ASYNC110 - another process cannot set our events
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        assert processes.death is None
