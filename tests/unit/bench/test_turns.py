"""Systems that are all running have their turns one after the other."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bench import turns as bench_turns
from bench.meter import Pids
from bench.turns import Turns

_SPINS = "import time\nprint('ready', flush=True)\nwhile True: time.process_time()"


@dataclass(frozen=True)
class Taker:
    """A system of at most one process."""

    name: str
    pids: Pids


@pytest.fixture(autouse=True)
def _without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_turns, "_PAUSE", 0.0)


@pytest.fixture
def spinning() -> Iterator[int]:
    """A process that is never idle."""
    with subprocess.Popen([sys.executable, "-c", _SPINS], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        yield started.pid
        started.kill()


async def test_each_is_alone_in_its_turn_and_the_first_one_changes() -> None:
    """A fixed first system would always find the machine as the last system left it."""
    takers = {name: Taker(name, {}) for name in "abc"}
    turns, order = Turns(), []
    at_once = 0

    async def work(taker: Taker) -> str:
        nonlocal at_once
        at_once += 1
        assert at_once == 1
        order.append(taker.name)
        at_once -= 1
        return taker.name.upper()

    for _ in range(3):
        assert await turns.give(takers, work) == {"a": "A", "b": "B", "c": "C"}
    assert "".join(order) == "abcbcacab"


async def test_what_a_system_uses_while_another_has_its_turn_is_known(spinning: int) -> None:
    """A waiting system may use CPU that the measured system lacks, so its use is reported."""
    takers = {"busy": Taker("busy", {"services": {"spin": spinning}}), "still": Taker("still", {})}
    turns = Turns()

    async def work(_: Taker) -> None:
        # Long enough for a busy machine to let the other one run.
        time.sleep(0.5)  # noqa: ASYNC251 - nothing else runs here

    await turns.give(takers, work)
    assert turns.idle("busy") > 50_000
    assert turns.idle("still") == 0
