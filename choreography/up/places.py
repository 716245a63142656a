"""The folders of this machine that outlive a run, and the locks by which two runs share them safely."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.errors import UpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def cache() -> Path:
    """The user's cache folder for downloaded and built programs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "choreography"


def dapr_home() -> Path:
    """The folder for programs of `dapr init`; DAPR_RUNTIME_PATH is the Dapr CLI's variable for another folder."""
    base = os.environ.get("DAPR_RUNTIME_PATH", "").strip()
    return (Path(base) if base else Path.home()) / ".dapr" / "bin"


@contextmanager
def only_one(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Let one run at a time obtain a program; the kernel releases the lock even if its holder is killed."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Refuse a run folder that another run uses."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UpError(
                f"Another run uses {lock.parent}, and two would write the same state. "
                "Stop it, or choose another folder."
            ) from None
        yield
