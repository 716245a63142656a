"""Forbidden changes of the next release are found before it is deployed, with what to write instead."""

# ruff: noqa: ARG001 - a parameter says what a reaction hears, also when its type is all there is to know

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest
from pydantic import AliasChoices, Field, create_model

from choreography import Answer, Deadline, Decision, Entity, Event, Id, Intent, NewId, Outside, Request, Service, Value
from choreography.analysis.lock import merged
from choreography.analysis.lost_fields import lost_fields
from choreography.analysis.promises import promises_of
from choreography.check import Finding, judge_services


class Washed(Event, type="dish.washed.v1", subject="dish"):
    """It is clean."""

    dish: Id


class Dried(Event, type="dish.dried.v1", subject="dish"):
    """It is dry."""

    dish: Id


class Stored(Event, type="dish.stored.v1", subject="dish", final=True):
    """It is put away."""

    dish: Id


class Polished(Event, type="dish.polished.v1", subject="dish"):
    """It shines."""

    dish: Id


class Mark(Value):
    """A mark on a plate."""

    text: str
    deep: bool = False


class Plate(Entity, key="dish", kind="plate"):
    """A plate."""

    dish: Id
    status: Literal["dirty", "clean"] = "dirty"
    marks: tuple[Mark, ...] = ()


class WiderPlate(Entity, key="dish", kind="plate"):
    """One more field, one more status."""

    dish: Id
    status: Literal["dirty", "clean", "broken"] = "dirty"
    marks: tuple[Mark, ...] = ()
    shelf: str = ""


class RenamedPlate(Entity, key="dish", kind="plate"):
    """A field is called otherwise."""

    dish: Id
    state: Literal["dirty", "clean"] = "dirty"
    marks: tuple[Mark, ...] = ()


class DroppingPlate(Entity, key="dish", kind="plate", drops=("marks",)):
    """A field is given up."""

    dish: Id
    status: Literal["dirty", "clean"] = "dirty"


class AliasedPlate(Entity, key="dish", kind="plate"):
    """A field is called otherwise, and its old name is still read."""

    dish: Id
    state: Literal["dirty", "clean"] = Field("dirty", validation_alias=AliasChoices("state", "status"))
    marks: tuple[Mark, ...] = ()


class ShallowMark(Value):
    """A mark without its depth."""

    text: str


class ShallowPlate(Entity, key="dish", kind="plate"):
    """A field of a part is gone."""

    dish: Id
    status: Literal["dirty", "clean"] = "dirty"
    marks: tuple[ShallowMark, ...] = ()


class CleanPlate(Entity, key="dish", kind="plate"):
    """A status is gone."""

    dish: Id
    status: Literal["clean"] = "clean"
    marks: tuple[Mark, ...] = ()


class Dish(Plate, key="dish", kind="dish"):
    """Another kind."""


class Rinse(Intent):
    """Ask for water."""

    dish: Id
    litres: int = 1


class RinseLong(Intent):
    """Ask for more of it."""

    dish: Id
    minutes: int


class Rinsed(Answer, type="water.ran.v1"):
    """There was water."""

    dish: Id


class RinsedWell(Answer, type="water.ran-well.v1"):
    """The same under another name."""

    dish: Id


class NewDish(Request):
    """Nothing to say of it."""


DECIDES: Any = Decision


def kitchen(
    *,
    service: str = "kitchen",
    entity: type[Entity] = Plate,
    join: str = "store",
    awaited: tuple[type[Event], ...] = (Washed, Dried),
    deadline: str = "overdue",
    effect: str = "rinse",
    outside: str = "water",
    intent: type[Intent] = Rinse,
    answer: type[Answer] = Rinsed,
    reaction: str = "answer",
    route: str = "POST /dishes",
    new_id: str = "dish",
) -> list[Service]:
    """The release of a service in which one thing may have another name."""
    made = Service(service, publishes=[Washed, Dried, Stored, Polished])

    def wash(new: Any, **ids: str) -> Any:
        return Washed(dish=ids[new_id])

    wash.__annotations__ = {"new": NewDish, new_id: NewId, "return": Washed}
    made.command(route)(wash)

    def ask(plate: Any, washed: Any) -> Any:
        return intent(dish=washed.dish)

    ask.__annotations__ = {"plate": entity, "washed": Washed, "return": DECIDES[intent]}
    made.on(Washed, name="ask")(ask)

    def late(plate: Any, due: Any) -> Any:
        return Stored(dish=plate.key)

    late.__annotations__ = {"plate": entity, "due": Deadline, "return": DECIDES[Stored]}
    made.deadline(after=Washed, within=timedelta(minutes=5), name=deadline)(late)

    async def call(wish: Any, water: Any) -> Any:
        raise NotImplementedError((wish, water))

    call.__name__, call.__annotations__ = effect, {"wish": intent, "water": Outside, "return": answer}
    made.effect(outside=outside)(call)

    def answered(plate: Any, said: Any) -> Any:
        return Dried(dish=said.dish)

    answered.__annotations__ = {"plate": entity, "said": answer, "return": DECIDES[Dried]}
    made.on(answer, name=reaction)(answered)

    def of_two(plate: Any, one: Any, two: Any) -> Any:
        return Stored(dish=plate.key)

    def of_three(plate: Any, one: Any, two: Any, three: Any) -> Any:
        return Stored(dish=plate.key)

    taking = of_two if len(awaited) == 2 else of_three
    heard = dict(zip(("one", "two", "three"), awaited, strict=False))
    taking.__annotations__ = {"plate": entity, **heard, "return": DECIDES[Stored]}
    made.when_all(*awaited, name=join)(taking)
    return [made]


CODES = ("CHO112", "CHO114", "CHO115", "CHO116", "CHO117")


def breaks(now: list[Service], before: list[Service] | None = None) -> list[Finding]:
    """Return the findings about a release that follows another."""
    report = judge_services(*now, lock=promises_of(before or kitchen()))
    return [finding for finding in report.findings if finding.code in CODES]


@pytest.mark.parametrize(
    ("change", "code", "about", "what", "do"),
    [
        ({"join": "stow"}, "CHO115", "kitchen.store", "may be called stow now", 'when_all(..., name="store")'),
        (
            {"awaited": (Washed, Polished)},
            "CHO115",
            "kitchen.store",
            "not wait for dish.dried.v1",
            "another one beside",
        ),
        ({"awaited": (Washed, Dried, Polished)}, "CHO115", "kitchen.store", "waits for dish.polished.v1", "beside it"),
        ({"deadline": "late"}, "CHO115", "kitchen.overdue", "may be called late now", '.deadline(..., name="overdue")'),
        ({"entity": RenamedPlate}, "CHO114", "kitchen.plate", "status is kept and would be passed over", "drops=("),
        ({"entity": ShallowPlate}, "CHO114", "kitchen.plate", "marks.deep is kept", "Leave the fields"),
        ({"entity": CleanPlate}, "CHO114", "kitchen.plate", "status may be 'dirty'", "Leave the fields"),
        ({"effect": "wet"}, "CHO117", "kitchen.rinse", "may be called wet now", "Keep the name of its function, rinse"),
        ({"outside": "well"}, "CHO117", "kitchen.rinse", "'water' and is 'well'", "another effect"),
        ({"intent": RinseLong}, "CHO117", "kitchen.rinse", "may hold litres", "intent of its own"),
        ({"answer": RinsedWell}, "CHO117", "kitchen.water.ran.v1", "not declared any more", 'type="water.ran.v1"'),
        ({"reaction": "note"}, "CHO116", "kitchen.water.ran.v1", "is named 'answer' any more", 'name="answer"'),
        ({"route": "POST /plates"}, "CHO116", "kitchen.POST /dishes", "called POST /plates now", "Keep its route"),
        (
            {"new_id": "dish_id"},
            "CHO116",
            "kitchen.POST /dishes",
            "were named dish and are named dish_id",
            "another route",
        ),
    ],
)
def test_a_change_that_something_under_way_would_meet_is_found(
    change: dict[str, Any], code: str, about: str, what: str, do: str
) -> None:
    """The finding says what it is, which name it has now, and what to write instead."""
    found = [finding for finding in breaks(kitchen(**change)) if (finding.code, finding.about) == (code, about)]
    assert len(found) == 1
    assert what in found[0].what
    assert do in found[0].do


def test_another_kind_is_another_thing() -> None:
    """Entities and waiting joins under the old kind would never be found again."""
    found = {(finding.code, finding.about): finding for finding in breaks(kitchen(entity=Dish))}
    assert 'kind="plate"' in found["CHO114", "kitchen.plate"].do
    assert "It may be called dish now" in found["CHO114", "kitchen.plate"].what
    assert "its entity was 'plate' and is 'dish'" in found["CHO115", "kitchen.store"].what
    assert "its entity was 'plate' and is 'dish'" in found["CHO115", "kitchen.overdue"].what


def test_a_service_that_is_called_otherwise_is_told_once() -> None:
    """Every id, key and record of it derives from its name; each event has another source."""
    found = breaks(kitchen(service="scullery"))
    assert [one.about for one in found if one.code == "CHO114"] == ["kitchen"]
    assert [one for one in found if one.code in ("CHO115", "CHO116", "CHO117")] == []
    assert all("its owner was 'kitchen' and is 'scullery'" in one.what for one in found if one.code == "CHO112")


@pytest.mark.parametrize("change", [{}, {"entity": WiderPlate}, {"entity": DroppingPlate}, {"entity": AliasedPlate}])
def test_what_is_added_or_given_up_on_purpose_is_fine(change: dict[str, Any]) -> None:
    """An older replica quarantines what it cannot read, and keeps what it does not know."""
    assert breaks(kitchen(**change)) == []


def test_rendering_takes_over_what_breaks_nothing_and_nothing_else() -> None:
    """Otherwise the next render would remove the finding."""
    lock = promises_of(kitchen())
    wider = merged(lock, kitchen(entity=WiderPlate))
    assert wider == promises_of(kitchen(entity=WiderPlate))
    other = kitchen(join="stow", entity=RenamedPlate)
    renamed = merged(lock, other)
    assert renamed.items() >= lock.items()
    assert judge_services(*other, lock=renamed).findings == judge_services(*other, lock=lock).findings


def test_a_deadline_may_start_at_another_event() -> None:
    """A deadline that the old event started still fires, under the same name."""
    lock = promises_of(kitchen())
    [place] = [place for place in lock if place.section == "deadlines"]
    lock[place] = {**lock[place], "after": "dish.bought.v1"}
    assert [one for one in judge_services(*kitchen(), lock=lock).findings if one.code in CODES] == []


class Card(Value):
    """One way to pay."""

    kind: Literal["card"] = "card"
    number: str = ""


class Cash(Value):
    """Another."""

    kind: Literal["cash"] = "cash"
    paid: int = 0


class CashOnly(Value):
    """The same without what was paid."""

    kind: Literal["cash"] = "cash"


class Node(Value):
    """A part of its own kind."""

    name: str = ""
    parts: tuple[Node, ...] = ()


class NamelessNode(Value):
    """The same without its name."""

    parts: tuple[NamelessNode, ...] = ()


def loses(old: Any, new: Any) -> list[str]:
    """Return the differences that lose something of one field."""
    before, after = (create_model("Holds", __base__=Value, field=(hint | None, None)) for hint in (old, new))
    return lost_fields(before.model_json_schema(), after.model_json_schema())


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        (Card | Cash, Card | Cash, []),
        (Card | Cash, Card | CashOnly, ["field.paid"]),
        (Card | Cash, Cash | Card, []),
        (Mark, ShallowMark, ["field.deep"]),
        (tuple[Mark, ...], tuple[ShallowMark, ...], ["field.deep"]),
        (tuple[int, Mark], tuple[int, ShallowMark], ["field.deep"]),
        (Node, Node, []),
        (Node, NamelessNode, ["field.name", "field.parts.name"]),
        (Mark, str, ["field.deep", "field.text"]),
    ],
)
def test_a_field_is_missed_at_every_depth(old: Any, new: Any, lost: list[str]) -> None:
    """In nested values, in tuples of them, in each alternative, and in values of a recursive type."""
    assert sorted(loses(old, new)) == lost
