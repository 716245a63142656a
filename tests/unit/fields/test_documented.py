"""Each type is carried or refused exactly as docs/contracts.md says."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NewType, TypeVar
from uuid import UUID

import pytest
from pydantic import AnyUrl, AwareDatetime, BaseModel, Field, NaiveDatetime, PastDate, SecretStr

from choreography import Money, Value
from choreography.errors import DeclarationError

PAGE = Path(__file__).parents[3] / "docs" / "contracts.md"
Item = TypeVar("Item")
UserId = NewType("UserId", str)


class Colour(Enum):
    """Of text."""

    RED = "red"


class Level(IntEnum):
    """Of integers."""

    LOW = 1


class Mixed(Enum):
    """Of both."""

    ONE = 1
    TWO = "2"


class Rights(IntFlag):
    """What can be combined."""

    READ = 1
    WRITE = 2


class Line(Value):
    """A value."""

    sku: str


class Box(Value, Generic[Item]):
    """A value that holds any other."""

    item: Item


class Card(Value):
    """One of two ways to pay."""

    by: Literal["card"] = "card"
    last_four: str


class Cash(Value):
    """The other way to pay."""

    by: Literal["cash"] = "cash"
    coins: int


class Plain(BaseModel):
    """A model of pydantic's own."""

    sku: str


NAMES: dict[str, Any] = (
    {
        one.__name__: one
        for one in (
            *(Colour, Level, Mixed, Rights, Line, Box, Card, Cash, Plain, Decimal, UUID, Mapping),
            *(date, datetime, time, timedelta, timezone, NaiveDatetime, AwareDatetime, PastDate, AnyUrl, SecretStr),
        )
    }
    | {"Money": Money, "UserId": UserId, "UTC": UTC, "Field": Field}
    | {
        "Annotated": Annotated,
        "Any": Any,
        "Literal": Literal,
    }
)


def rows(heading: str) -> Iterator[tuple[str, str, str]]:
    """Return the rows of the table below a heading, without their code marks."""
    for line in PAGE.read_text().partition(f"## {heading}")[2].partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            first, second, third = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            yield first.strip("`").replace("\\|", "|"), second.strip("`"), third.strip("`")


def made(annotation: str) -> type[Value]:
    """Declare a contract with one field, as its author would write it."""
    hint = eval(annotation, NAMES)  # noqa: S307 - the expressions are those of our own page
    space = {"__annotations__": {"field": hint}, "__module__": __name__}
    return types.new_class("Made", (Value,), {}, lambda body: body.update(space))


@pytest.mark.parametrize(("annotation", "value", "wire"), list(rows("What is carried, and how")))
def test_what_is_carried_is_written_like_that_and_read_back_as_it_was(annotation: str, value: str, wire: str) -> None:
    """The type stays the same as well."""
    model: Any = made(annotation)
    before = eval(value, NAMES)  # noqa: S307 - the expressions are those of our own page
    contract = model(field=before)
    text = contract.model_dump_json()
    assert text == f'{{"field":{wire}}}'
    back = model.model_validate_json(text, strict=True)
    assert back == contract
    assert back.field == before
    assert type(back.field) is type(contract.field)
    assert hash(back) == hash(contract)


@pytest.mark.parametrize(("annotation", "reason", "instead"), list(rows("What is refused, and what to write instead")))
def test_what_is_refused_is_refused_at_import_for_that_reason(annotation: str, reason: str, instead: str) -> None:
    """The replacement that the page suggests is accepted."""
    with pytest.raises(DeclarationError, match=re.escape(reason)) as refusal:
        made(annotation)
    assert str(refusal.value).count(". ") >= 1, "it does not say what to write instead"
    if instead in NAMES or "[" in instead:
        made(instead)


def test_both_tables_are_read() -> None:
    """A changed heading must not leave the tests above without cases."""
    assert len(list(rows("What is carried, and how"))) > 20
    assert len(list(rows("What is refused, and what to write instead"))) > 20
    assert typing.get_type_hints(made("str"))["field"] is str
