"""Makes the plain types exact that pydantic alone would carry inexactly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""Sidecars re-encode numbers through 64-bit floats; beyond this an integer silently becomes another one."""

DECIMAL: Final = r"^-?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]+)?$"
"""How a Decimal is written: as Python does, every digit kept."""

_MINUTE: Final = timedelta(minutes=1)
_LIMITS: Final = {"ge": "x-minimum", "gt": "x-exclusiveMinimum", "le": "x-maximum", "lt": "x-exclusiveMaximum"}
_DIGITS: Final = {"max_digits": "x-maxDigits", "decimal_places": "x-decimalPlaces", "multiple_of": "x-multipleOf"}

Node = dict[str, Any]


def exact_int(node: Node) -> CoreSchema:
    """Refuse to read an integer that another reader may have changed. The engine refuses to commit it, too."""
    read = node.copy()
    if node.get("gt") is None:
        read["ge"] = max(node.get("ge", -MAX_SAFE_INTEGER), -MAX_SAFE_INTEGER)
    if node.get("lt") is None:
        read["le"] = min(node.get("le", MAX_SAFE_INTEGER), MAX_SAFE_INTEGER)
    kept: Any = node
    return kept if read == node else core_schema.json_or_python_schema(json_schema=read, python_schema=kept)


def exact_moment(node: Node) -> CoreSchema:
    """Require an offset, without which the moment is ambiguous, and keep it in the form of the wire."""
    aware = node | {"tz_constraint": "aware"}
    return core_schema.no_info_after_validator_function(_in_whole_minutes, aware)


def _in_whole_minutes(moment: datetime) -> datetime:
    """Return the moment with an offset that RFC 3339 can write and that needs no time zone database."""
    zone = moment.tzinfo
    if zone is UTC or zone is None:
        return moment
    offset = moment.utcoffset()
    if offset is not None and zone.utcoffset(None) == offset and not offset % _MINUTE:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError("moment", "The moment lies outside the years 1 to 9999 in UTC") from error


def exact_duration(node: Node, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Write a duration in days and smaller units: readers disagree about the length of a year or a month."""
    return handler.generate_schema(Annotated[timedelta, _DurationText(node)])


class _DurationText:
    def __init__(self, node: Node) -> None:
        self._node: Any = node

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(
            _in_days, return_schema=core_schema.str_schema(), when_used="json"
        )
        return {**self._node, "serialization": written}

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "duration"}


def _in_days(duration: timedelta) -> str:
    sign, length = ("-", -duration) if duration < timedelta(0) else ("", duration)
    seconds = (
        f"{length.seconds}.{length.microseconds:06}".rstrip("0").rstrip(".")
        if length.microseconds
        else (str(length.seconds))
    )
    return f"{sign}P{length.days}DT{seconds}S"


def exact_decimal(node: Node, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Carry a decimal as text: a JSON number loses digits in most readers."""
    return handler.generate_schema(Annotated[Decimal, _DecimalText(node)])


class _DecimalText:
    def __init__(self, node: Node) -> None:
        self._node = node

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number: Any = self._node
        # In strict mode a decimal requires a Decimal, and the text of the step before does not count as JSON to
        # pydantic.
        text = core_schema.chain_schema(
            [
                core_schema.str_schema(pattern=DECIMAL, strict=True),
                core_schema.no_info_plain_validator_function(Decimal),
                number,
            ]
        )
        return core_schema.json_or_python_schema(json_schema=text, python_schema=number)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add keywords of our own for rules that JSON Schema cannot express, so that a change of them is noticed."""
        return {"type": "string", "format": "decimal", "pattern": DECIMAL, **_told(self._node, _LIMITS | _DIGITS)}


def _told(node: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, str | int]:
    told = {word: node[key] for key, word in words.items() if node.get(key) is not None}
    return {word: value if type(value) is int else str(value) for word, value in told.items()}
