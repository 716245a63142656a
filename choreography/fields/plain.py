"""The plain classes behind an annotation, without its wrappers."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any


def plain_types(annotation: Any) -> Iterator[type]:
    """Yield the classes that a value of a field may have; ``object`` for an annotation that is no plain class."""
    origin = typing.get_origin(annotation)
    if hasattr(annotation, "__value__"):
        yield from plain_types(annotation.__value__)
    elif hasattr(annotation, "__supertype__"):
        yield from plain_types(annotation.__supertype__)
    elif origin is typing.Annotated:
        yield from plain_types(typing.get_args(annotation)[0])
    elif origin is typing.Literal:
        yield from (type(one) for one in typing.get_args(annotation))
    elif origin in (typing.Union, types.UnionType):
        for one in typing.get_args(annotation):
            yield from plain_types(one)
    else:
        yield annotation if isinstance(annotation, type) and origin is None else object
