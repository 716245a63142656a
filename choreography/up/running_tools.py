"""Runs short-lived helper programs (go, mvn, apt-get, initdb) and turns their failures into messages."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from choreography.up.errors import MissingToolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from choreography.progress import Ticker

_SHOWN_LINES = 12


def ask(command: Sequence[str], *, timeout: float = 20.0) -> str | None:
    """Return the output of a program, or None if it is missing, fails or hangs."""
    try:
        answer = subprocess.run(  # noqa: S603 - the commands are ours, no shell is involved
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None


def work(
    command: Sequence[str],
    *,
    why: str,
    ticker: Ticker,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: str = "",
) -> str:
    """Run a long command, show its output as the progress line, and return the output.

    `why` completes the error message: the thing that is impossible without this command, and the remedy.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the commands are ours, no shell is involved
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise MissingToolError(f"`{command[0]}` could not be run ({error.strerror}). {why}") from error
    lines: list[str] = []
    with process:
        if process.stdin is not None:
            process.stdin.write(given)
            process.stdin.close()
        for line in process.stdout or ():
            lines.append(line.rstrip())
            ticker.tick(line.strip())
    if process.returncode != 0:
        last = "\n".join(f"    {line}" for line in lines[-_SHOWN_LINES:])
        raise MissingToolError(
            f"`{' '.join(command[:3])} ...` failed with exit code {process.returncode}. {why} Its last lines:\n{last}"
        )
    return "\n".join(lines)
