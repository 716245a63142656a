"""Contracts made up by Hypothesis, from a grammar of everything pydantic knows, and values that they hold."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Generic, Literal, NewType, Optional, TypeVar, Union
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.alias_generators import to_camel

from choreography import Entity, Event, Id, Request, Value
from choreography.errors import DeclarationError
from choreography.fields import MAX_SAFE_INTEGER

Item = TypeVar("Item")
UserId = NewType("UserId", str)
ZONES = (UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(seconds=-3723)), ZoneInfo("Europe/Berlin"))


class Colour(Enum):
    """Plain, of text."""

    RED = "red"
    BLUE = "blue"


class Shade(str, Enum):  # noqa: UP042 - as many still write it
    """Text itself."""

    DARK = "dark"
    LIGHT = "light"


class Word(StrEnum):
    """Text itself, as it is written today."""

    YES = "yes"


class Level(IntEnum):
    """Of integers."""

    LOW = 1
    HIGH = 2


class Mixed(Enum):
    """Of both, which is refused."""

    ONE = 1
    TWO = "2"


class Box(Value, Generic[Item]):
    """Holds any one thing."""

    item: Item


class Tree(Value):
    """Holds its own kind, and decimals in dicts."""

    name: str
    prices: dict[str, Decimal] = {}  # noqa: RUF012 - frozen by the library
    children: tuple[Tree, ...] = ()


@dataclass(frozen=True)
class Typed:
    """A type as its author writes it, and values for it."""

    hint: Any
    values: st.SearchStrategy[Any]


def decimals(**limits: Any) -> st.SearchStrategy[Decimal]:
    """Numbers of any exponent."""
    return st.decimals(allow_nan=False, allow_infinity=False, **limits)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
WHOLE = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
MOMENTS = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.sampled_from(ZONES),
)
TREES = st.recursive(
    st.builds(Tree, name=TEXTS, prices=st.dictionaries(TEXTS, decimals(), max_size=2)),
    lambda inner: st.builds(Tree, name=TEXTS, children=st.lists(inner, max_size=2).map(tuple)),
    max_leaves=4,
)

TAKEN = (
    Typed(str, TEXTS),
    Typed(Annotated[str, Field(min_length=1, max_length=4)], st.text("abc", min_size=1, max_size=4)),
    Typed(Annotated[str, Field(pattern="^[a-z]{1,3}$")], st.text("abc", min_size=1, max_size=3)),
    Typed(int, WHOLE),
    Typed(Annotated[int, Field(ge=1, le=9)], st.integers(1, 9)),
    Typed(Annotated[int, Field(gt=0, multiple_of=5)], st.integers(1, 20).map(lambda n: n * 5)),
    Typed(bool, st.booleans()),
    Typed(None, st.none()),
    Typed(date, st.dates()),
    Typed(datetime, MOMENTS),
    Typed(AwareDatetime, MOMENTS),
    Typed(timedelta, st.timedeltas()),
    Typed(Decimal, decimals()),
    Typed(
        Annotated[Decimal, Field(ge=0, max_digits=6, decimal_places=2)], decimals(min_value=0, max_value=9999, places=2)
    ),
    Typed(UUID, st.uuids()),
    Typed(UserId, TEXTS),
    Typed(Colour, st.sampled_from(Colour)),
    Typed(Shade, st.sampled_from(Shade)),
    Typed(Word, st.sampled_from(Word)),
    Typed(Level, st.sampled_from(Level)),
    Typed(Literal["new", "used"], st.sampled_from(["new", "used"])),
    Typed(Literal[1, 2], st.sampled_from([1, 2])),
    Typed(Literal[Word.YES], st.just(Word.YES)),
    Typed(Literal[Level.LOW], st.just(Level.LOW)),
    Typed(Tree, TREES),
)
REFUSED = (
    Typed(float, st.floats(allow_nan=False)),
    Typed(list[int], st.lists(WHOLE)),
    Typed(set[str], st.sets(TEXTS)),
    Typed(Any, WHOLE),
    Typed(bytes, st.binary()),
    Typed(time, st.times()),
    Typed(dict[int, str], st.dictionaries(WHOLE, TEXTS)),
    Typed(Literal[Colour.RED], st.just(Colour.RED)),
    Typed(Mixed, st.sampled_from(Mixed)),
    Typed(Literal[1, "1"], st.sampled_from([1, "1"])),
    Typed(Annotated[Decimal, Field(allow_inf_nan=True)], st.just(Decimal("NaN"))),
)


def of(origin: Any, *parts: Any) -> Any:
    """Return a type that is made of others, as its author would write it."""
    return origin[parts if len(parts) > 1 else parts[0]]


KEYS = st.sampled_from(
    [
        Typed(str, TEXTS),
        Typed(Colour, st.sampled_from(Colour)),
        Typed(Annotated[str, Field(max_length=2)], st.text("ab", max_size=2)),
    ]
)


def inside(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """Return types made of others."""
    return st.one_of(
        inner.map(lambda one: Typed(of(tuple, one.hint, ...), st.lists(one.values, max_size=3).map(tuple))),
        st.tuples(inner, inner).map(_pair),
        st.tuples(st.sampled_from([dict, Mapping]), KEYS, inner).map(_mapping),
        inner.map(lambda one: Typed(of(Optional, one.hint), st.none() | one.values)),
        st.tuples(inner, inner).map(
            lambda two: Typed(of(Union, *(o.hint for o in two)), two[0].values | two[1].values)
        ),
        inner.map(_boxed),
        st.dictionaries(st.sampled_from(["first_name", "size", "at"]), inner, min_size=1, max_size=3).map(_value),
        st.tuples(inner, inner).map(_tagged),
    )


def _pair(two: tuple[Typed, Typed]) -> Typed:
    return Typed(of(tuple, *(one.hint for one in two)), st.tuples(*(one.values for one in two)))


def _mapping(three: tuple[Any, Typed, Typed]) -> Typed:
    origin, key, value = three
    return Typed(of(origin, key.hint, value.hint), st.dictionaries(key.values, value.values, max_size=3))


def _boxed(one: Typed) -> Typed:
    return _unless_refused(lambda: of(Box, one.hint), lambda box: one.values.map(lambda item: box(item=item)))


def _value(fields: dict[str, Typed]) -> Typed:
    return _unless_refused(lambda: contract(Value, fields), lambda model: instances(model, fields))


def _tagged(two: tuple[Typed, Typed]) -> Typed:
    """Return a discriminated union of two Values."""
    variants = [
        _value({"of": Typed(of(Literal, tag), st.just(tag)), "it": one}) for tag, one in zip("ab", two, strict=True)
    ]
    if any(part in REFUSED for part in variants):
        return next(part for part in variants if part in REFUSED)
    hint = of(Annotated, of(Union, *(variant.hint for variant in variants)), Field(discriminator="of"))
    return Typed(hint, st.one_of(*(variant.values for variant in variants)))


def _unless_refused(make: Callable[[], Any], values: Callable[[Any], st.SearchStrategy[Any]]) -> Typed:
    """Return a made type, or refuse it with its parts: a class cannot be declared with a refused part."""
    try:
        made = make()
    except DeclarationError:
        return REFUSED[0]
    return Typed(made, values(made))


TYPES = st.recursive(st.sampled_from(TAKEN), inside, max_leaves=4)
ANY_TYPES = st.recursive(st.sampled_from(TAKEN + REFUSED), inside, max_leaves=4)


def contract(base: type[Value], fields: Mapping[str, Typed], **words: str) -> Any:
    """Declare a contract with these fields."""
    space: dict[str, Any] = {
        "__annotations__": {name: one.hint for name, one in fields.items()},
        "__module__": __name__,
    }
    if "second_one" in fields or "at" in fields:
        space["model_config"] = ConfigDict(alias_generator=to_camel)
    return types.new_class("Made", (base,), words, lambda body: body.update(space))


def instances(model: Any, fields: Mapping[str, Typed]) -> st.SearchStrategy[Any]:
    """Return values of a contract."""
    return st.fixed_dictionaries({name: one.values for name, one in fields.items()}).map(lambda given: model(**given))


WORDS: dict[type[Value], dict[str, str]] = {
    Event: {"type": "thing.said.v1", "topic": "things", "subject": "it_is"},
    Entity: {"key": "it_is", "kind": "thing"},
    Request: {},
    Value: {},
}


def fields_of(kinds: st.SearchStrategy[Typed]) -> st.SearchStrategy[dict[str, Typed]]:
    """Return the fields of a contract: an id and up to three others."""
    names = st.sampled_from(["a", "second_one", "the_third", "d"])
    ids = st.just({"it_is": Typed(Id, st.text("abc/é", min_size=1, max_size=5))})
    return st.tuples(ids, st.dictionaries(names, kinds, max_size=3)).map(lambda two: two[0] | two[1])
