"""Names that the library used before: they still work, and warn with the name that replaces them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any


class EarlierName:
    """An attribute under its earlier name.

    Args:
        name: its present name.
    """

    def __init__(self, name: str) -> None:
        self._name, self._earlier = name, ""

    def __set_name__(self, owner: type, name: str) -> None:
        """Store the name under which the class declares the attribute."""
        self._earlier = f"{owner.__name__}.{name}"

    def __get__(self, instance: object | None, owner: type) -> Any:
        """Return the value of the attribute with the present name."""
        warn(self._earlier, self._name)
        return getattr(owner if instance is None else instance, self._name)


def earlier_names(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` that gives a module its earlier names.

    Args:
        module: the ``__name__`` of the module.
        names: the present name for each earlier name.
    """

    def look_up(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(f"{module}.{name}", names[name])
        return getattr(sys.modules[module], names[name])

    return look_up


def warn(earlier: str, name: str) -> None:
    """Warn about the use of an earlier name, at the caller's line."""
    warnings.warn(
        f"{earlier} is called {name} now, as docs/glossary.md says, and the earlier name goes with the next major "
        f"version. Write {name}.",
        DeprecationWarning,
        stacklevel=3,
    )
