"""Processes are watched while they run, and none of them outlives its starter."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from choreography.up.errors import ProcessDiedError, UnknownNameError
from choreography.up.processes import Processes, Program


def program(folder: Path, script: str, name: str = "worker", **more: object) -> Program:
    """A real process that runs a shell script."""
    return Program(name=name, command=["sh", "-c", script], log=folder / f"{name}.log", **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Tell whether a process still runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


async def until(condition: Callable[[], bool]) -> None:
    """Poll for a short time until a condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another process cannot set our events
            await asyncio.sleep(0.02)


async def never() -> None:
    """Readiness that does not come."""
    await asyncio.Event().wait()


async def test_a_process_that_dies_is_reported_with_its_exit_code_and_last_words(tmp_path: Path) -> None:
    """The report's reader needs to know which process died, how, and where to look."""
    async with Processes() as processes:
        [worker] = processes.wave([program(tmp_path, "echo no luck today; exit 3")])
        await worker.start()
        death = str(await asyncio.wait_for(processes.until_death(), 10))
    assert "worker ended by itself with exit code 3" in death
    assert f"{tmp_path / 'worker.log'} ends with:\n    no luck today" in death


async def test_a_process_that_is_killed_by_somebody_else_is_reported_with_the_signal(tmp_path: Path) -> None:
    """A kernel that runs out of memory kills, and its signal is the only trace of it."""
    async with Processes() as processes:
        [worker] = processes.wave([program(tmp_path, "kill -9 $$")])
        await worker.start()
        death = str(await asyncio.wait_for(processes.until_death(), 10))
    assert "with signal SIGKILL" in death
    assert "worker.log is empty" in death


async def test_a_death_before_readiness_ends_the_waiting_at_once(tmp_path: Path) -> None:
    """A user should not wait a minute and a half for a dead process."""
    async with Processes() as processes:
        [worker] = processes.wave([program(tmp_path, "exit 1", ready=never)])
        await worker.start()
        with pytest.raises(ProcessDiedError, match="exit code 1"):
            await asyncio.wait_for(worker.until_ready(), 10)


async def test_a_process_that_is_never_ready_is_reported_with_its_last_words(tmp_path: Path) -> None:
    """A hanging start is told like a failed one."""
    async with Processes() as processes:
        stuck = program(tmp_path, "echo waiting for Godot; sleep 100", ready=never, ready_within=0.3)
        [worker] = processes.wave([stuck])
        await worker.start()
        with pytest.raises(ProcessDiedError, match=r"was not ready after .*[\s\S]*waiting for Godot"):
            await worker.until_ready()


async def test_a_program_that_is_not_there_is_reported_as_a_sentence(tmp_path: Path) -> None:
    """A command in the run file may be misspelt."""
    async with Processes() as processes:
        [worker] = processes.wave([Program(name="worker", command=["no-such-program"], log=tmp_path / "log")])
        with pytest.raises(ProcessDiedError, match=r"worker could not be started: No such file .*no-such-program"):
            await worker.start()


async def test_being_stopped_or_killed_on_purpose_is_no_death(tmp_path: Path) -> None:
    """Tests hurt processes, and that must not fail them."""
    async with Processes() as processes:
        first, second = processes.wave([program(tmp_path, "sleep 100", name) for name in ("first", "second")])
        await first.start()
        await second.start()
        await first.stop()
        await second.kill()
        assert (first.running, second.running, processes.death) == (False, False, None)


async def test_a_killed_process_can_be_started_again(tmp_path: Path) -> None:
    """A crash is healed by a new process of the same program."""
    async with Processes() as processes:
        [worker] = processes.wave([program(tmp_path, "sleep 100")])
        await worker.start()
        before = worker.pid
        await worker.kill()
        await worker.start()
        assert worker.running
        assert worker.pid != before


async def test_everything_is_stopped_in_reverse_order(tmp_path: Path) -> None:
    """A sidecar must be able to finish before its broker goes."""
    script = "trap 'echo $0 >> {order}; exit' TERM; while :; do sleep 0.05; done"
    order = tmp_path / "order"
    async with Processes() as processes:
        for name in ("broker", "sidecar"):
            command = ["sh", "-c", script.format(order=order), name]
            [process] = processes.wave([Program(name=name, command=command, log=tmp_path / name)])
            await process.start()
        await asyncio.sleep(0.3)
    assert order.read_text().split() == ["sidecar", "broker"]


async def test_everything_is_stopped_when_the_block_fails(tmp_path: Path) -> None:
    """An exception must not leave processes behind."""
    started: list[int | None] = []

    async def fail_in_the_middle() -> None:
        async with Processes() as processes:
            [worker] = processes.wave([program(tmp_path, "sleep 100")])
            await worker.start()
            started.append(worker.pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_in_the_middle()
    [pid] = started
    assert pid is not None
    assert not alive(pid)


async def test_a_process_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    """A process that ignores SIGTERM must not hang the end of a run."""
    stubborn = program(tmp_path, "trap '' TERM; while :; do sleep 0.05; done", stops_within=0.3)
    async with Processes() as processes:
        [worker] = processes.wave([stubborn])
        await worker.start()
        await asyncio.sleep(0.2)
        await asyncio.wait_for(worker.stop(), 10)
        assert not worker.running


async def test_a_paused_process_can_be_resumed_and_stopped(tmp_path: Path) -> None:
    """A frozen process is there but does nothing, and must not hang the end of a run either."""
    count = tmp_path / "count"
    async with Processes() as processes:
        [worker] = processes.wave([program(tmp_path, f"while :; do echo x >> {count}; sleep 0.02; done")])
        await worker.start()
        await until(count.exists)
        worker.pause()
        await asyncio.sleep(0.1)
        frozen = count.stat().st_size
        await asyncio.sleep(0.2)
        assert count.stat().st_size == frozen
        worker.resume()
        await until(lambda: count.stat().st_size > frozen)
        worker.pause()
        await asyncio.wait_for(worker.stop(), 10)


async def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    """A misspelt name in a test should not need a look into the code."""
    async with Processes() as processes:
        processes.wave([Program(name="redis", command=["true"], log=Path("unused"))])
        with pytest.raises(UnknownNameError, match=r"no process called 'reddis' .* Known are: redis"):
            processes.find("reddis")


STARTS_A_CHILD = """
import asyncio, sys
from pathlib import Path
from choreography.up.processes import Processes, Program

async def main() -> None:
    async with Processes() as processes:
        [child] = processes.wave([Program(name="child", command=["sleep", "300"], log=Path(sys.argv[1]))])
        await child.start()
        print(child.pid, flush=True)
        await asyncio.sleep(300)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child's life to its parent's")
async def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """After a kill -9 the parent cannot clean up, so the kernel has to."""
    parent = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", STARTS_A_CHILD, str(tmp_path / "log")], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    assert alive(child)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(child))
