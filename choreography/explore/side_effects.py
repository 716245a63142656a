"""Detects that a function accesses the outside while it runs: files, the network, other programs.

The data that it finds there is not in its input, and may be the same by chance during the whole exploration.
"""

from __future__ import annotations

import os
import sys
import threading
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any, Final

from choreography.authored import is_authored, is_of_a_library

_FILES: Final = {
    "open": "opened the file {}",
    "os.listdir": "listed the folder {}",
    "os.scandir": "listed the folder {}",
    "os.remove": "removed the file {}",
    "os.rename": "renamed the file {}",
    "os.mkdir": "made the folder {}",
    "sqlite3.connect": "opened the database {}",
}
_BEYOND: Final = {
    "os.putenv": "set the variable {}",
    "os.unsetenv": "removed the variable {}",
    "os.system": "ran the program {}",
    "subprocess.Popen": "ran the program {}",
    "socket.getaddrinfo": "looked for the host {}",
    "socket.connect": "connected to {1}",
}
_OF_PYTHON: Final = {"importlib", "zoneinfo", "linecache", "tokenize", "warnings", "encodings", "locale", "gettext"}
"""These read what belongs to Python: code, zones of time, texts."""

_ZONES: Final = tuple(f"{folder}{os.sep}" for folder in zoneinfo.TZPATH)

_noticing: dict[int, list[str]] = {}
"""What each thread has reached for, of those that are watched."""


@contextmanager
def reached() -> Iterator[list[str]]:
    """Watch this thread, and yield a list of the things that it accessed, in words."""
    _listen()
    me = threading.get_ident()
    outer, found = _noticing.get(me), list[str]()
    _noticing[me] = found
    try:
        yield found
    finally:
        if outer is None:
            del _noticing[me]
        else:
            _noticing[me] = outer


@cache
def _listen() -> None:
    sys.addaudithook(_heard)


def _heard(event: str, given: tuple[Any, ...]) -> None:
    if not _noticing or (event not in _FILES and event not in _BEYOND):
        return
    found = _noticing.get(threading.get_ident())
    # The frame is that of the Python code that makes the call.
    if found is None or (event in _FILES and not _is_asked_by_author(sys._getframe(1))):  # noqa: SLF001
        return
    words = _FILES.get(event) or _BEYOND[event]
    texts = [os.fsdecode(one) if isinstance(one, bytes) else str(one) for one in given]
    if not (event == "open" and texts[0].startswith(_ZONES)):
        found.append("it " + words.format(*texts))


def _is_asked_by_author(frame: FrameType | None) -> bool:
    """Tell whether code of the author makes the call, and not a library that reads its own files."""
    while frame is not None:
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if file.startswith("<") or module in _OF_PYTHON or is_of_a_library(file):
            return False
        if is_authored(file):
            return True
        frame = frame.f_back
    return False
