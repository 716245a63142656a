"""Why a SQLite file cannot be opened, as sentences that say what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

_PRIMARY: Final = 0xFF
"""The bits of an error code that give its kind; the other bits give details."""
_LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_NOT_WRITABLE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
_NO_DATABASE: Final = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def cannot_open(file: Path, error: sqlite3.Error | OSError) -> str:
    """Return the reason why a service cannot start on this file."""
    kind = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY
    if kind in _LOCKED:
        return (
            f"{file} is locked by another program, so nothing could be committed. End that program, such as a shell in "
            "the middle of a transaction or a backup; then start this service again."
        )
    if not file.exists():
        return (
            f"There is no file {file}, so this service has no tables. Run `choreography migrate`, or name the right "
            "file in CHOREOGRAPHY_DATABASE."
        )
    if kind in _NO_DATABASE:
        return (
            f"{file} is no SQLite database, or it is damaged ({error}), so what it keeps cannot be read. Name another "
            "file in CHOREOGRAPHY_DATABASE, or restore this one."
        )
    if kind in _NOT_WRITABLE or isinstance(error, PermissionError):
        return (
            f"{file} or its folder may not be written by this process, so nothing could be committed. Change their "
            "owner or their mode: SQLite writes beside the file as well."
        )
    return f"{file} cannot be opened ({type(error).__name__}: {error}), so nothing could be committed. Mend that first."
