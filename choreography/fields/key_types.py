"""Types for keys, subjects and ids: each value has exactly one text, from which it can be read back."""

from __future__ import annotations

import types
import typing
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Final, Literal, Union
from uuid import UUID

from choreography.errors import DeclarationError

_TEXTUAL: Final = (str, int, UUID, date)


def as_key(value: object) -> str:
    """Return the text of a value that serves as an id; for an Enum it is the text of its value, as on the wire."""
    # Nearly every id is a plain str.
    return value if type(value) is str else str(value.value if isinstance(value, Enum) else value)


def refuse_as_key(annotation: Any, where: str) -> None:
    """Refuse a type whose values have several texts, or share one.

    Raises:
        DeclarationError: the type cannot serve as an id.
    """
    for part in _parts(annotation):
        fits = isinstance(part, type) and (issubclass(part, Enum) or issubclass(part, _TEXTUAL))
        if not fits or issubclass(part, (bool, datetime)):
            raise DeclarationError(
                f"{where} is {spoken(annotation)}, which does not have one text for each of its values, so it cannot "
                "serve as an id. Use Id, or another str, int, UUID, date or Enum."
            )


def spoken(annotation: Any) -> str:
    """Return an annotation in almost the form in which its author wrote it."""
    plain = isinstance(annotation, type) and not typing.get_args(annotation)
    return annotation.__name__ if plain else str(annotation).replace("typing.", "")


def _parts(annotation: Any) -> tuple[Any, ...]:
    if isinstance(annotation, typing.NewType):
        return _parts(annotation.__supertype__)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _parts(inner[0])
    if origin in (Union, types.UnionType):
        return tuple(part for one in inner for part in _parts(one))
    if origin is Literal:
        return tuple({type(choice) for choice in inner})
    return (annotation,)
