"""Starts processes, waits until they are ready, notices when one dies, and always stops them all.

Every signal goes to the id of a process that we started: a name may match a process of another user.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from choreography.up.errors import ProcessDiedError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from choreography.progress import Progress

_PR_SET_PDEATHSIG = 1
_SHOWN_LINES = 12
_BEFORE_ANOTHER_TRY = 0.5
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


async def _at_once() -> None:
    """The readiness check of a program that is ready as soon as it runs."""


@dataclass(frozen=True)
class Program:
    """Everything needed to start a process, any number of times."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    ready: Callable[[], Awaitable[None]] = _at_once
    ready_within: float = 90.0
    stop_signal: signal.Signals = signal.SIGTERM
    stops_within: float = 20.0
    starts: int = 1  # attempts until it is ready for the first time; a process that dies later stays dead
    holds_stdin: bool = False  # for a program that ends when its standard input closes


class Process:
    """One running program."""

    def __init__(self, program: Program, died: Callable[[ProcessDiedError], None]) -> None:
        self.program = program
        self._died = died
        self._child: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ending = False
        self._was_ready = False
        self.began = 0.0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self.running and self._child else None

    @property
    def running(self) -> bool:
        """Whether the process exists; a paused process counts as running."""
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        """Start the process; does not wait until it is ready."""
        if self.running:
            return
        program = self.program
        self._ending = self._was_ready = False
        self.began = time.monotonic()
        program.log.parent.mkdir(parents=True, exist_ok=True)
        # The log begins with the run, so the last lines of a dead process are never from an earlier run.
        with program.log.open("ab" if self._child else "wb") as log:
            try:
                self._child = await asyncio.create_subprocess_exec(
                    *program.command,
                    cwd=program.folder,
                    env={**os.environ, **program.environment},
                    stdin=asyncio.subprocess.PIPE if program.holds_stdin else asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=asyncio.subprocess.STDOUT,
                    # Its own process group: a Ctrl-C at the terminal reaches only this process, which stops the rest.
                    process_group=0,
                    preexec_fn=_die_with(os.getpid()),
                )
            except OSError as error:
                raise ProcessDiedError(
                    f"{program.name} could not be started: {error.strerror} ({program.command[0]}). "
                    "The flow is not complete without it. Check the command in its run file."
                ) from error
        self._watch = asyncio.create_task(self._report_death(self._child))

    async def until_ready(self) -> None:
        """Wait until the process is ready for the others, or raise the reason why it never will be."""
        for left in reversed(range(self.program.starts)):
            try:
                await self._until_ready()
            except ProcessDiedError:
                if not left or self.running:
                    raise
                await asyncio.sleep(_BEFORE_ANOTHER_TRY)
                await self.start()
            else:
                self._was_ready = True
                return

    async def _until_ready(self) -> None:
        if self._watch is None:
            return
        ready = asyncio.ensure_future(self.program.ready())
        try:
            await asyncio.wait(
                {ready, self._watch}, timeout=self.program.ready_within, return_when=asyncio.FIRST_COMPLETED
            )
            if ready.done():
                await ready
            elif self._watch.done():
                raise ProcessDiedError(self._obituary())
            else:
                raise ProcessDiedError(
                    f"{self.program.name} runs, but was not ready after {self.program.ready_within:.0f} s, "
                    "and the flow is not complete without it. "
                    f"Read its log, mend the cause and start again.{self._last_words()}"
                )
        finally:
            ready.cancel()
            await asyncio.gather(ready, return_exceptions=True)

    async def stop(self) -> None:
        """Ask the process to end, and kill it if it does not."""
        if not self.running:
            return
        self._ending = True
        self._send(self.program.stop_signal)
        self._send(signal.SIGCONT)  # a paused process gets the request only after it is resumed
        if not await self._ended_within(self.program.stops_within):
            await self.kill()

    async def kill(self) -> None:
        """Kill the process without any cleanup, as a crash would."""
        self._ending = True
        self._send(signal.SIGKILL)
        await self._ended_within(None)

    async def quit_at_once(self) -> None:
        """End PostgreSQL as ``pg_ctl stop -m immediate`` does: all of its processes, without any cleanup."""
        self._ending = True
        self._send(signal.SIGQUIT)
        await self._ended_within(None)

    def may_end(self) -> None:
        """Treat its next end, until it is started again, as intended."""
        self._ending = True

    def pause(self) -> None:
        """Freeze the process: it keeps its sockets and locks but does nothing."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        self._send(signal.SIGCONT)

    def _send(self, what: signal.Signals) -> None:
        if self._child is not None and self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(what)

    async def _ended_within(self, seconds: float | None) -> bool:
        if self._watch is None:
            return True
        ended, _ = await asyncio.wait({self._watch}, timeout=seconds)
        return bool(ended)

    async def _report_death(self, child: asyncio.subprocess.Process) -> None:
        await child.wait()
        if not self._ending and (self._was_ready or self.program.starts == 1):
            self._died(ProcessDiedError(self._obituary()))

    def _obituary(self) -> str:
        code = self._child.returncode if self._child else None
        how = f"exit code {code}"
        if code is not None and code < 0:
            how = f"signal {signal.Signals(-code).name}"
        return (
            f"{self.program.name} ended by itself with {how}, and the flow is not complete without it. "
            f"Read its log, mend the cause and start again.{self._last_words()}"
        )

    def _last_words(self) -> str:
        try:
            with self.program.log.open(errors="replace") as log:
                lines = deque(log, maxlen=_SHOWN_LINES)
        except OSError:
            return ""
        said = "".join(f"\n    {line.rstrip()[:400]}" for line in lines)
        return f" {self.program.log} ends with:{said}" if said else f" {self.program.log} is empty."


class Processes:
    """All processes of a flow, in the order they were added; the last is stopped first."""

    def __init__(self) -> None:
        self._waves: list[dict[str, Process]] = []
        self._death: asyncio.Future[ProcessDiedError] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop_all()

    def wave(self, programs: Sequence[Program]) -> list[Process]:
        """Add programs that may be stopped together, before everything that was added earlier."""
        wave = {program.name: Process(program, self._note_death) for program in programs}
        self._waves.append(wave)
        return list(wave.values())

    def join(self, program: Program) -> Process:
        """Add a program to the last wave, to be stopped together with this wave."""
        return self._waves[-1].setdefault(program.name, Process(program, self._note_death))

    def find(self, name: str) -> Process:
        """The process called `name`."""
        for wave in self._waves:
            if name in wave:
                return wave[name]
        raise UnknownNameError.of(name, "process", [name for wave in self._waves for name in wave])

    @property
    def death(self) -> ProcessDiedError | None:
        """The first unexpected death of a process."""
        return self._death.result() if self._death.done() else None

    async def until_death(self) -> ProcessDiedError:
        """Wait for the first unexpected death of a process."""
        return await asyncio.shield(self._death)

    async def stop_all(self) -> None:
        """Stop all processes, in reverse order. If even that is interrupted, kill the rest."""
        try:
            for wave in reversed(self._waves):
                await asyncio.gather(*(process.stop() for process in wave.values()))
        finally:
            left = [process for wave in self._waves for process in wave.values() if process.running]
            await asyncio.gather(*(process.kill() for process in left))

    def _note_death(self, error: ProcessDiedError) -> None:
        if not self._death.done():
            self._death.set_result(error)


def _die_with(parent: int) -> Callable[[], None] | None:
    """Ask the kernel to kill the child when this process dies: after a kill -9 it can no longer do so itself."""
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # we died before the kernel was asked
            os._exit(1)

    return in_child


async def all_ready(progress: Progress, processes: Iterable[Process]) -> None:
    """Wait until every process is ready, and report each."""

    async def ready(process: Process) -> None:
        await process.until_ready()
        progress.done(f"{process.program.name} is ready ({time.monotonic() - process.began:.1f} s)")

    waiting = [asyncio.create_task(ready(process)) for process in processes]
    try:
        await asyncio.gather(*waiting)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
