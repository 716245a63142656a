"""Fields hold values that come back exactly and cannot be changed meanwhile."""

from __future__ import annotations

import copy
import pickle
import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import AliasChoices, ConfigDict, Field, PrivateAttr, ValidationError, computed_field, field_serializer
from pydantic.alias_generators import to_camel
from typing_extensions import TypeAliasType

from choreography import Answer, Decision, Entity, Event, Id, Intent, Request, Service, Value, named_by
from choreography.errors import DeclarationError
from choreography.fields import FrozenDict
from choreography.in_memory import InMemory

Item = TypeVar("Item")


class Size(Enum):
    """A plain Enum, whose str() is not its value."""

    SMALL = "small"
    LARGE = "large"


class Shelf(Value):
    """Dicts, nested, with and without a default."""

    counts: dict[str, int] = {}  # noqa: RUF012 - that this is safe is what is tested
    nested: dict[str, tuple[dict[str, int], ...]] = Field(default_factory=dict)


class Tree(Value):
    """Holds its own kind."""

    name: str
    children: tuple[Tree, ...] = ()


class Egg(Value):
    """Holds what is declared later, which holds it."""

    hen: Optional[Hen] = None  # noqa: UP045 - a name in quotes cannot be joined with | at run time


class Hen(Value):
    """Declared later."""

    eggs: tuple[Egg, ...] = ()


def declared(base: type[Value], words: dict[str, str], **space: Any) -> type[Value]:
    """Declare a contract."""
    return types.new_class("Bad", (base,), words, lambda body: body.update(space))


def back(value: Value) -> Any:
    """Read back a written contract."""
    return type(value).model_validate_json(value.model_dump_json(), strict=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda counts: counts.update(a=2),
        lambda counts: counts.pop("a"),
        lambda counts: counts.popitem(),
        lambda counts: counts.clear(),
        lambda counts: counts.setdefault("b", 1),
        lambda counts: counts.__setitem__("a", 2),
        lambda counts: counts.__delitem__("a"),
        lambda counts: counts.__ior__({"b": 1}),
    ],
)
def test_a_dict_of_a_contract_cannot_be_changed(change: Callable[[Any], Any]) -> None:
    """This holds whether it was given, read, or filled with its default."""
    given: dict[str, int] = {"a": 1}
    for shelf in (Shelf(counts=given), back(Shelf(counts=given)), Shelf()):
        with pytest.raises(TypeError, match="cannot be changed after the fact"):
            change(shelf.counts)
    given["a"] = 3
    assert Shelf(counts={"a": 1}) == back(Shelf(counts={"a": 1}))


def test_a_frozen_dict_is_a_dict_in_every_other_respect() -> None:
    """Equality, hash, copies and pickles."""
    kept = Shelf(counts={"a": 1, "b": 2}, nested={"x": ({"y": 1},)})
    assert kept.counts == {"b": 2, "a": 1}
    assert hash(kept) == hash(Shelf(counts={"b": 2, "a": 1}, nested={"x": ({"y": 1},)}))
    assert isinstance(kept.nested["x"][0], FrozenDict)
    assert kept.counts | {"c": 3} == {"a": 1, "b": 2, "c": 3}
    for twin in (copy.copy(kept.counts), copy.deepcopy(kept.counts), pickle.loads(pickle.dumps(kept.counts))):  # noqa: S301
        assert twin == kept.counts
        assert isinstance(twin, FrozenDict)


def test_the_default_of_a_dict_is_shared_and_frozen() -> None:
    """It cannot be changed, so no object needs a copy of it."""
    assert Shelf().counts is Shelf().counts == {}
    assert Shelf().nested == {}


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(seconds=-3723))),
        datetime(2026, 1, 1, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=-9, minutes=-30))),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
    ],
)
def test_a_moment_is_the_same_moment_after_the_wire(moment: datetime) -> None:
    """This includes zones with seconds in their offset, and the hour that comes twice."""

    class At(Value):
        at: datetime

    came = back(At(at=moment))
    assert came == At(at=moment)
    assert came.at.timestamp() == moment.timestamp() if moment.year not in (1, 9999) else came.at == moment


def test_a_moment_without_an_offset_is_refused_wherever_it_comes_in() -> None:
    """It is refused when it is read, made, changed, or used as a default."""

    class At(Entity, key="name"):
        name: Id
        at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    naive = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001 - that is what must not get in
    ways: tuple[Callable[[], At], ...] = (
        lambda: At.model_validate_json(b'{"name":"a","at":"2026-03-29T02:30:00"}', strict=True),
        lambda: At(name="a", at=naive),
        lambda: At(name="a").but(at=naive),
        lambda: At(name="a").model_copy(update={"at": naive}),
    )
    for come in ways:
        with pytest.raises(ValidationError, match="timezone"):
            come()
    with pytest.raises(DeclarationError, match="would not hold"):

        class Bad(Value):
            at: datetime = naive


def test_a_decimal_is_read_from_text_only() -> None:
    """A JSON number has lost digits by the time it is read."""

    class Price(Value):
        amount: Annotated[Decimal, Field(ge=0, max_digits=30)]

    for text in ("1E+2", "0.10", "123456789012345678901.5", "0"):
        assert back(Price(amount=Decimal(text))).model_dump_json() == f'{{"amount":"{text}"}}'
    for bad in ("123456789012345678901.5", '"NaN"', '"1_000"', '" 1"', '"-1"', '"Infinity"', "true"):
        with pytest.raises(ValidationError):
            Price.model_validate_json(f'{{"amount":{bad}}}', strict=True)
        with pytest.raises(ValidationError):
            Price.model_validate_json(f'{{"amount":{bad}}}')
    assert Price.model_json_schema()["properties"]["amount"]["x-minimum"] == 0


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**63])
def test_an_integer_that_another_reader_may_have_changed_is_not_read(number: int) -> None:
    """It is refused also where it is within a limit of the author."""

    class Count(Value):
        free: int = 0
        bounded: Annotated[int, Field(ge=-(2**70), le=2**70)] = 0

    for name in ("free", "bounded"):
        with pytest.raises(ValidationError):
            Count.model_validate_json(f'{{"{name}":{number}}}', strict=True)


def test_a_value_of_a_subclass_becomes_what_the_field_says() -> None:
    """On the wire it would lose the fields that only the subclass has."""

    class Wide(Tree):
        width: int = 3

    class Wood(Value):
        tree: Tree

    wood = Wood(tree=Wide(name="oak"))
    assert type(wood.tree) is Tree
    assert back(wood) == wood


def test_values_that_hold_their_own_kind_are_carried() -> None:
    """They may hold it directly or through another class, however they are declared."""
    tree = Tree(name="a", children=(Tree(name="b", children=(Tree(name="c"),)),))
    assert back(tree) == tree
    egg = Egg(hen=Hen(eggs=(Egg(),)))
    assert back(egg) == egg


def test_a_named_alias_of_a_type_is_what_it_stands_for() -> None:
    """Its value is exact inside a contract as well."""
    prices = TypeAliasType("prices", dict[str, Decimal])

    class Table(Value):
        prices: prices

    table = Table(prices={"cup": Decimal("1.50")})
    assert isinstance(table.prices, FrozenDict)
    assert back(table) == table
    assert table.model_dump_json() == '{"prices":{"cup":"1.50"}}'


class Lent(Event, type="book.lent.v1", subject="book_id"):
    """An event with names for the wire that differ from those in code."""

    model_config = ConfigDict(alias_generator=to_camel)

    book_id: Id
    lent_to: Annotated[str, Field(alias="borrower")] = "nobody"


class Book(Entity, key="book_id"):
    """An entity with such names."""

    model_config = ConfigDict(alias_generator=to_camel)

    book_id: Id
    is_lent: bool = False


def test_an_alias_is_the_name_on_the_wire_and_code_uses_the_field() -> None:
    """Reactions, blank entities, changed copies, subjects and keys all use the field's name."""
    library = Service("library", publishes=[Lent])

    @library.on(Lent)
    def lend(book: Annotated[Book, named_by("book_id")], lent: Lent) -> Decision:
        return book.but(is_lent=lent.lent_to == "ann")

    memory = InMemory(library)
    lent = Lent(book_id="b1", lent_to="ann")
    assert memory.hear(memory.delivery(lent)).quarantined == []
    assert memory.entities["book", "b1"] == Book(bookId="b1", isLent=True)  # type: ignore[call-arg]
    assert memory.record("book", "b1").state == {"bookId": "b1", "isLent": True}
    assert lent.model_dump(mode="json").keys() == Lent.model_json_schema()["properties"].keys()
    assert lent.subject == "b1"


class Stock(Entity, key="size"):
    """So many of a size."""

    size: Size
    number: int = 0


class Note(Entity, key="size"):
    """A text about a size."""

    size: str
    text: str = ""


class Sold(Event, type="shirt.sold.v1", subject="size"):
    """One of a size."""

    size: Size


def test_keys_of_an_enum_are_its_values() -> None:
    """A key is the value on the wire, and blank entities are made from it."""
    shop = Service("shop", publishes=[Sold])

    @shop.on(Sold)
    def sell(stock: Stock, sold: Sold) -> Decision:
        return Stock(size=sold.size, number=stock.number + 1)

    memory = InMemory(shop)
    assert memory.hear(memory.delivery(Sold(size=Size.LARGE))).quarantined == []
    assert memory.entities == {("stock", "large"): Stock(size=Size.LARGE, number=1)}
    assert Sold(size=Size.LARGE).subject == "large"


@pytest.mark.parametrize("hint", [bool, datetime, Decimal, str | None, tuple[str, ...], Tree, Literal["a"] | None])
def test_a_key_or_a_subject_has_one_text_for_each_value(hint: Any) -> None:
    """None would be the text 'None', and 1.0 is 1.00."""
    space = {"__annotations__": {"it": hint}, "__module__": __name__}
    for base, words in ((Entity, {"key": "it"}), (Event, {"subject": "it", "topic": "t", "type": "a.b.v1"})):
        with pytest.raises(DeclarationError, match=r"Bad\.it is .* cannot serve as an id"):
            declared(base, words, **space)


@pytest.mark.parametrize("hint", [str, int, UUID, date, Size, Literal["a", "b"], Id])
def test_other_types_serve_as_keys(hint: Any) -> None:
    """Their text can be read again."""
    space = {"__annotations__": {"it": hint}, "__module__": __name__}
    assert declared(Entity, {"key": "it"}, **space)


def test_a_generic_value_is_judged_by_what_it_holds() -> None:
    """The template leaves that open."""

    class Box(Value, Generic[Item]):
        item: Item
        more: dict[str, Item]

    assert back(Box[Decimal](item=Decimal("0.1"), more={"a": Decimal(2)})).more["a"] == Decimal(2)
    with pytest.raises(DeclarationError, match="float"):
        Box[float]


def settings() -> dict[str, dict[str, Any]]:
    """Settings by which the value that is read would differ from the one that was written."""
    return {
        "frozen": {"frozen": False},
        "extra": {"extra": "allow"},
        "forbid": {"extra": "forbid"},
        "alias": {"serialize_by_alias": False},
        "timedelta": {"ser_json_timedelta": "float"},
        "nan": {"allow_inf_nan": True},
        "enum": {"use_enum_values": True},
        "later": {"defer_build": True},
    }


@pytest.mark.parametrize("name", settings())
def test_a_setting_that_would_undo_what_contracts_have_in_common_is_refused(name: str) -> None:
    """The refusal gives the reason and what to do."""
    with pytest.raises(DeclarationError, match=r"^Bad sets .*(Leave it out|Declare the fields)"):

        class Bad(Event, type="a.bad.v1", subject="it"):
            model_config = ConfigDict(**settings()[name])  # type: ignore[typeddict-item]
            it: Id


def private() -> None:
    """Keep a private attribute, which is not written."""

    class Bad(Value):
        _secret: int = PrivateAttr(default=1)


def computed() -> None:
    """Write a computed field, which is not read."""

    class Bad(Value):
        name: str

        @computed_field  # type: ignore[prop-decorator]
        @property
        def twice(self) -> str:
            return self.name * 2


def serialized() -> None:
    """Write it with a serializer of its own."""

    class Bad(Value):
        day: date

        @field_serializer("day")
        def spell(self, day: date) -> str:
            return f"{day:%d/%m/%Y}"


def twins() -> None:
    """Give two fields one name on the wire."""

    class Bad(Value):
        name: str
        other: Annotated[str, Field(alias="name")]


def mutable_default() -> None:
    """Give a tuple a list."""

    class Bad(Value):
        names: tuple[str, ...] = ["a"]  # type: ignore[assignment]


def clock() -> None:
    """Ask a clock."""

    class Bad(Value):
        at: datetime = Field(default_factory=lambda: datetime.now(UTC))


def excluded_sometimes() -> None:
    """Leave it out now and then."""

    class Bad(Value):
        name: Annotated[str, Field(exclude_if=lambda name: name == "x")]


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (private, "private attribute _secret"),
        (computed, "computed field twice"),
        (serialized, "serializer of its own"),
        (twins, "2 fields that are written as 'name'"),
        (mutable_default, r"default \['a'\], which the field itself would not hold"),
        (clock, "Bad.at has a default_factory"),
        (excluded_sometimes, "left out of what is written"),
    ],
)
def test_what_is_written_and_not_read_is_refused(declare: Callable[[], None], words: str) -> None:
    """A value that differs each time is refused too."""
    with pytest.raises(DeclarationError, match=words):
        declare()


def test_what_differs_only_in_appearance_is_taken() -> None:
    """An old name that is still read, a constructor as factory, and a harmless setting are accepted."""

    class Good(Request):
        model_config = ConfigDict(str_strip_whitespace=True)
        name: Annotated[str, Field(validation_alias=AliasChoices("title", "name_of_old"), serialization_alias="title")]
        parts: tuple[str, ...] = Field(default_factory=tuple)
        shelf: Shelf = Field(default_factory=Shelf)

    assert Good.model_validate_json('{"name_of_old":" x "}', strict=True).model_dump_json().startswith('{"title":"x"')


@pytest.mark.parametrize("base", [Intent, Answer, Entity])
def test_what_releases_hand_on_ignores_what_it_does_not_know(base: type[Value]) -> None:
    """A later release may write more fields."""
    words: dict[str, str] = {Answer: {"type": "a.b.v1"}, Entity: {"key": "it"}}.get(base, {})
    space = {"__annotations__": {"it": Id}, "__module__": __name__, "model_config": ConfigDict(extra="forbid")}
    with pytest.raises(DeclarationError, match='sets extra="forbid"'):
        declared(base, words, **space)


def test_a_mapping_is_a_dict_to_whoever_gives_it() -> None:
    """It is a frozen dict when it is read."""

    class Rates(Value):
        rates: Mapping[str, Decimal]

    assert isinstance(Rates(rates={"EUR": Decimal(1)}).rates, FrozenDict)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=800), "P800DT0S"),
        (timedelta(hours=-1, microseconds=1), "-P0DT3599.999999S"),
        (timedelta.max, "P999999999DT86399.999999S"),
        (timedelta.min, "-P999999999DT0S"),
        (timedelta(0), "P0DT0S"),
    ],
)
def test_a_duration_is_written_without_years(length: timedelta, text: str) -> None:
    """It is exact to the microsecond, also at both ends of the range."""

    class Lasts(Value):
        length: timedelta

    assert Lasts(length=length).model_dump(mode="json") == {"length": text}
    assert back(Lasts(length=length)) == Lasts(length=length)


@pytest.mark.parametrize(
    ("base", "words", "name"),
    [
        (Entity, {"key": "key"}, "key"),
        (Event, {"type": "a.b.v1", "topic": "t", "subject": "subject"}, "subject"),
        (Event, {"type": "a.b.v1", "topic": "t", "subject": "topic"}, "topic"),
        (Event, {}, "wire_type"),
        (Answer, {"type": "a.b.v1"}, "wire_type"),
        (Entity, {"key": "kind"}, "kind"),
    ],
)
def test_a_field_does_not_hide_what_every_contract_has(base: type[Value], words: dict[str, str], name: str) -> None:
    """An event with a field called topic would be published wherever its data says."""
    with pytest.raises(DeclarationError, match=f"Bad has a field named '{name}', which hides"):
        declared(base, words, __annotations__={name: Id}, __module__=__name__)


def test_an_alias_is_not_the_name_of_another_field() -> None:
    """If one of them were missing, the other would be read in its place."""
    with pytest.raises(
        DeclarationError, match=r"Bad\.first is written as 'second', which is the name of another field"
    ):

        class Bad(Value):
            first: Annotated[str, Field(alias="second")]
            second: Annotated[str, Field(alias="third")] = ""


class Packed(Event, Generic[Item], subject="box"):
    """An event that leaves open what it holds."""

    box: Id
    item: Item


class PackedEgg(Packed[Egg], type="egg.packed.v1"):
    """One that does not."""


class Crate(Entity, Generic[Item], key="box"):
    """An entity that leaves it open."""

    box: Id
    item: Item | None = None


class EggCrate(Crate[Egg]):
    """One that does not."""


def test_generic_contracts_are_used_by_way_of_what_they_hold() -> None:
    """A template has no wire type of its own."""
    farm = Service("farm", publishes=[PackedEgg])

    @farm.on(PackedEgg)
    def keep(crate: Annotated[EggCrate, named_by("box")], packed: PackedEgg) -> Decision:
        return crate.but(item=packed.item)

    memory = InMemory(farm)
    packed = PackedEgg(box="b1", item=Egg(hen=Hen()))
    assert memory.hear(memory.delivery(packed)).quarantined == []
    assert memory.entities["eggcrate", "b1"] == EggCrate(box="b1", item=packed.item)
    assert Crate[int].kind == "crate-int"
    with pytest.raises(DeclarationError, match="leaves open what it holds"):

        class Bad(Packed[Item], Generic[Item], type="any.packed.v1"):
            pass


def test_a_contract_that_mentions_what_is_not_there_is_refused_before_it_is_served() -> None:
    """The refusal does not wait for the first event."""
    hint = "NotDeclared | None"
    unfinished: Any = declared(
        Event,
        {"type": "a.b.v1", "topic": "t", "subject": "it"},
        __annotations__={"it": Id, "other": hint},
        __module__=__name__,
    )
    with pytest.raises(
        DeclarationError, match="uses Bad, which mentions NotDeclared, and nothing of that name is there"
    ):
        Service("shop", publishes=[unfinished]).check()


def test_text_that_no_reader_can_take_is_refused_before_the_commit() -> None:
    """A lone surrogate is no Unicode."""
    shop = Service("shop", publishes=[Sold])

    @shop.on(Sold)
    def note(note: Note, sold: Sold) -> Decision:
        return note.but(text="\ud800") if sold else note

    memory = InMemory(shop)
    (reason,) = memory.hear(memory.delivery(Sold(size=Size.LARGE))).quarantined
    assert "cannot be stored" in reason
