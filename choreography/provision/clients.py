"""Imports the module for one broker; its client is an optional extra of the library."""

from __future__ import annotations

import importlib
from types import ModuleType

from choreography.errors import ChoreographyError


def speaker(module: str, kind: str, what: str, error: type[ChoreographyError]) -> ModuleType:
    """Return the module for a type of broker.

    Raises:
        ChoreographyError: of the class `error`, if the client of the broker is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise error(
            f"{missing.name} is not installed, and without it {kind} cannot be {what}. "
            "Install it: pip install 'choreography[provision]'."
        ) from missing
