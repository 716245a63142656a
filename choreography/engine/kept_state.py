"""Stored state across releases: fields of a stored entity that this release does not know survive its writes.

Two releases of a service run side by side whenever it is deployed. The older one does not know the fields of the newer
one, and must not erase them; so a new state is laid over the stored one. Reactions stay pure and do not see this.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel

from choreography.fields.spellings import names_of, spellings


class Difference(NamedTuple):
    """A place in a stored state where this release and the one that wrote it have different fields.

    Attributes:
        where: the dotted path of the place; empty for the entity itself. Items of a tuple have no number.
        unknown: stored fields that this release does not know.
        missing: fields of this release that are not stored, so that their defaults are shown.
    """

    where: str
    unknown: frozenset[str]
    missing: frozenset[str]

    def path(self, name: str) -> str:
        """Return the dotted path of a field at this place."""
        return _path(self.where, name)


def differences(stored: Any, value: Any, dropped: Sequence[str] = (), where: str = "") -> Iterator[Difference]:
    """Yield every place where the stored form of a value holds fields that this release does not know.

    Args:
        stored: the state in the store.
        value: the same state, decoded by this release.
        dropped: paths of fields that were given up on purpose.
        where: the path of this place.
    """
    if isinstance(stored, dict) and isinstance(value, BaseModel):
        model = type(value)
        unknown = {name for name in stored.keys() - names_of(model) if _path(where, name) not in dropped}
        if unknown:
            missing = frozenset(model.model_fields.keys() - value.model_fields_set)
            yield Difference(where, frozenset(unknown), missing)
        for name in _with_parts(model):
            key = _stored_as(model, name, stored)
            if key is not None:
                yield from differences(stored[key], getattr(value, name), dropped, _path(where, name))
    elif isinstance(value, (tuple, list)) and isinstance(stored, list):
        for part, inner in zip(stored, value, strict=False):
            yield from differences(part, inner, dropped, where)
    elif isinstance(value, Mapping) and isinstance(stored, Mapping):
        for part, inner in zip(stored.values(), value.values(), strict=False):
            yield from differences(part, inner, dropped, where)


class StateMerge(NamedTuple):
    """One value in four forms: as stored, as decoded, as a reaction changed it, and as that is encoded."""

    stored: Any
    before: Any
    after: Any
    written: Any


def laid_over(change: StateMerge, dropped: Sequence[str] = (), where: str = "") -> Any:
    """Return the state to write, including all stored fields that are unknown to this release.

    A value of another class than before is a different thing and inherits nothing; a new part inherits nothing either.

    Args:
        change: the value before and after.
        dropped: paths of fields that were given up on purpose.
        where: the path of this place.
    """
    stored, before, after, written = change
    if isinstance(after, BaseModel) and type(after) is type(before) and isinstance(stored, Mapping):
        return _fields_over(change, dropped, where)
    if isinstance(after, (tuple, list)) and isinstance(before, (tuple, list)) and isinstance(stored, list):
        return [
            laid_over(StateMerge(stored[old], before[old], after[new], written[new]), dropped, where)
            if old is not None
            else written[new]
            for new, old in enumerate(_continued(before, after))
        ]
    if isinstance(after, Mapping) and isinstance(before, Mapping) and isinstance(stored, Mapping):
        kept = dict(zip(before, stored.values(), strict=False))
        return {
            text: laid_over(StateMerge(kept[key], before[key], after[key], part), dropped, where)
            if key in kept
            else part
            for key, (text, part) in zip(after, written.items(), strict=True)
        }
    return written


def _fields_over(change: StateMerge, dropped: Sequence[str], where: str) -> dict[str, Any]:
    stored, before, after, written = change
    model: type[BaseModel] = type(after)
    merged = dict(written)
    for name in _with_parts(model):
        old, new = _stored_as(model, name, stored), _stored_as(model, name, written)
        if old is not None and new is not None:
            part = StateMerge(stored[old], getattr(before, name), getattr(after, name), written[new])
            merged[new] = laid_over(part, dropped, _path(where, name))
    unknown = (name for name in stored if name not in names_of(model) and _path(where, name) not in dropped)
    return merged | {name: stored[name] for name in unknown}


def _continued(before: Sequence[Any], after: Sequence[Any]) -> list[int | None]:
    """Return, for each part after a change, the part before the change that it continues, if any.

    The rules, in this order: an equal part; a part with the same first field; if the number of parts is unchanged, the
    part in the same place.
    """
    same_number = len(before) == len(after)
    rules: tuple[Callable[[int, int], bool], ...] = (
        lambda old, new: bool(before[old] == after[new]),
        lambda old, new: type(before[old]) is type(after[new]) and _first(before[old]) == _first(after[new]),
        lambda old, new: same_number and old == new,
    )
    found: list[int | None] = [None] * len(after)
    for continues in rules:
        for new in range(len(after)):
            if found[new] is None:
                free = (old for old in _nearest(new, len(before)) if old not in found)
                found[new] = next((old for old in free if continues(old, new)), None)
    return found


def _nearest(place: int, number: int) -> Iterator[int]:
    """Yield all places, beginning with ``place``: of several equal parts, each continues the part in its own place."""
    yield from (one for one in (place,) if one < number)
    yield from (one for one in range(number) if one != place)


def _first(part: Any) -> Any:
    """Return the first field of a part, which identifies it."""
    return next(iter(part.__dict__.values()), None) if isinstance(part, BaseModel) else part


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _stored_as(model: type[BaseModel], name: str, stored: Mapping[str, Any]) -> str | None:
    return next((text for text in spellings(model, name) if text in stored), None)


@cache
def _with_parts(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the fields of a model whose values may have fields themselves. Most models have none, at no cost here."""
    return tuple(name for name, field in model.model_fields.items() if _holds_values(field.annotation))


def _holds_values(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return False
    if origin is None:
        if isinstance(annotation, type):
            return issubclass(annotation, BaseModel)
        # An alias of another type may stand for any type.
        return hasattr(annotation, "__value__") or _holds_values(getattr(annotation, "__supertype__", None.__class__))
    return any(_holds_values(part) for part in typing.get_args(annotation))
