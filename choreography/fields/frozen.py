"""A dict that cannot be changed: the value of a field of the type ``dict[str, X]`` or ``Mapping[str, X]``."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar

Kept = TypeVar("Kept")

_REFUSED: Final = (
    "This dict belongs to a contract and cannot be changed after the fact. Make another one: {**old, key: value}."
)


class FrozenDict(dict[str, Kept]):
    """A read-only dict. It equals every dict with the same items, and has a hash as long as its values have one."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(_REFUSED)

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __or__(self, other: Mapping[str, Any]) -> FrozenDict[Any]:  # type: ignore[override]
        return FrozenDict({**self, **other})

    def copy(self) -> FrozenDict[Kept]:
        """Return itself: a copy could not be distinguished from it."""
        return self

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenDict[Kept]:
        return FrozenDict({key: copy.deepcopy(value, memo) for key, value in self.items()})

    def __reduce__(self) -> tuple[type[FrozenDict[Kept]], tuple[dict[str, Kept]]]:
        return FrozenDict, (dict(self),)
