"""The meter counts CPU and memory of the named processes and of their children, also ended ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from bench.meter import Meter, memory

_BUSY = (
    "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint('done', flush=True)\n"
)


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process whose child works and ends, and which then waits."""
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {_BUSY!r}])\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        yield started


def test_the_work_of_a_child_that_ended_is_counted(parent: subprocess.Popen[bytes]) -> None:
    """PostgreSQL serves every connection in a process of its own."""
    meter = Meter({"database": {"postgres": parent.pid}})
    assert parent.stdout is not None
    parent.stdout.readline()
    time.sleep(0.3)
    used = meter.microseconds()["database"]
    assert 250_000 <= used <= 3_000_000


def test_who_does_nothing_costs_nothing() -> None:
    """A waiting process and a missing one cost nothing."""
    command = [sys.executable, "-c", "import sys; print('ready', flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sleeper:
        assert sleeper.stdout is not None
        sleeper.stdout.readline()
        meter = Meter({"services": {"sleeper": sleeper.pid, "gone": 2**22 + 1}})
        time.sleep(0.2)
        # The kernel counts in hundredths of a second, and the last line had to be printed.
        assert meter.microseconds()["services"] <= 20_000


def test_memory_is_given_for_each_process() -> None:
    """A Python process has some MiB."""
    assert memory({"services": {"me": os.getpid()}})["me"] > 5
