"""Copies of values for code of the user: a change to a copy is seen by no other code.

A value is parsed and validated once. A reaction or an effect gets a copy, because copying costs less than decoding
again.
"""

from __future__ import annotations

import copy
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

from choreography.contracts import Value
from choreography.fields.frozen import FrozenDict

Copied = TypeVar("Copied", bound=Value)

_LEAVES: Final = frozenset({str, int, bool, type(None), datetime, date, timedelta, Decimal, UUID})
"""Immutable types. Nearly every field has one of them."""


def copied(value: Copied) -> Copied:
    """Return a copy that shares only immutable parts with the value."""
    made = copy.copy(value)
    fields = made.__dict__
    for name, part in fields.items():
        if type(part) not in _LEAVES:
            fields[name] = _copied_part(part)
    return made


def _copied_part(part: Any) -> Any:
    if isinstance(part, Value):
        return copied(part)
    if type(part) is tuple:
        return tuple(map(_copied_part, part))
    if isinstance(part, dict):
        return FrozenDict({key: _copied_part(inner) for key, inner in part.items()})
    return part
