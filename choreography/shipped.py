"""The place of the shipped files that are not Python: the component files of this project."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def shipped_components() -> Path | None:
    """Return the folder `components`: in the installed package, or beside it in a checkout; None if there is none."""
    return next((folder for folder in (_HERE / "components", _HERE.parent / "components") if folder.is_dir()), None)
