"""Names that the library used before: they still work, and warn with the name that replaces them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any


class EarlierName:
    """An attribute under its earlier name.

    Args:
        name: what it is called now.
    """

    def __init__(self, name: str) -> None:
        self._name, self._earlier = name, ""

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the name under which the class declares it."""
        self._earlier = f"{owner.__name__}.{name}"

    def __get__(self, instance: object | None, owner: type) -> Any:
        """Return what the attribute holds under its name of today."""
        warn(self._earlier, self._name)
        return getattr(owner if instance is None else instance, self._name)


def earlier_names(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module that knows what its names were called before.

    Args:
        module: the ``__name__`` of the module.
        names: for each earlier name the one of today.
    """

    def look_up(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(f"{module}.{name}", names[name])
        return getattr(sys.modules[module], names[name])

    return look_up


def warn(earlier: str, name: str) -> None:
    """Warn whoever uses an earlier name."""
    warnings.warn(
        f"{earlier} is called {name} now, as docs/glossary.md says, and the earlier name goes with the next major "
        f"version. Write {name}.",
        DeprecationWarning,
        stacklevel=3,
    )
