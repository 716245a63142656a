"""The form of a rule about one setting of a component."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Judge = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class SettingRule:
    """One setting: when it is bad, why, and its right value. ``default``: the component's value if it is not set."""

    setting: str
    bad: Judge
    default: str
    why: str
    write: str


def is_zero(value: str) -> bool:
    """Tell whether a number or a duration is zero or negative."""
    return re.fullmatch(r"-.*|0+(\.0+)?[a-zµ]*", value.strip()) is not None


def whole(value: str, otherwise: int = 0) -> int:
    """Return a whole number; any other text counts as ``otherwise``, as in the components."""
    return int(value) if value.strip().isdigit() else otherwise


def is_not(wanted: str) -> Judge:
    """Every value except the given one is bad."""
    return lambda value: value.lower() != wanted


def is_any_of(*bad: str) -> Judge:
    """The given values are bad."""
    return lambda value: value.lower() in bad


def lacks(parameter: str) -> Judge:
    """A connection string without a certain parameter is bad."""
    return lambda value: bool(value) and parameter not in value.replace(" = ", "=")
