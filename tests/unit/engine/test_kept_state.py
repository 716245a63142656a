"""Kept state across releases: an older replica beside a newer one erases and invents nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, Field

from choreography import Decision, Entity, Event, Id, Service, Value, named_by
from choreography.engine.kept_state import StateMerge, differences, laid_over
from choreography.engine.records import EntityRecord, Outcome
from choreography.in_memory import NOON, InMemory


class Fed(Event, type="cat.fed.v1", subject="cat"):
    """Somebody fed a cat."""

    cat: Id


class Bowl(Value):
    """A bowl, as the older release knows it."""

    name: str
    grams: int = 0


class ToyBowl(Bowl):
    """A bowl, as the newer release knows it."""

    colour: str = "white"


class Indoors(Value):
    """A cat that stays in."""

    kind: Literal["indoors"] = "indoors"


class Outdoors(Value):
    """A cat that goes out."""

    kind: Literal["outdoors"] = "outdoors"


class Chipped(Outdoors):
    """A cat that goes out, as the newer release knows it."""

    chip: str = "none"


class Cat(Entity, key="cat", kind="cat"):
    """The older release's."""

    cat: Id
    meals: int = 0
    bowl: Bowl = Bowl(name="first")
    bowls: tuple[Bowl, ...] = ()
    place: Indoors | Outdoors = Indoors()


class NewCat(Entity, key="cat", kind="cat"):
    """The newer release's: it knows more at every place."""

    cat: Id
    meals: int = 0
    treats: int = 0
    bowl: ToyBowl = ToyBowl(name="first")
    bowls: tuple[ToyBowl, ...] = ()
    place: Indoors | Chipped = Indoors()


def release(entity: type[Entity], change: Callable[[Any], Any]) -> Service:
    """A release of the service that keeps cats."""
    service = Service("home")

    def feed(cat: Any, fed: Fed) -> Any:  # noqa: ARG001 - it is heard
        return change(cat)

    feed.__annotations__ = {"cat": entity, "fed": Fed, "return": Decision}
    service.on(Fed)(feed)
    return service


NEW = NewCat(
    cat="m",
    treats=7,
    bowl=ToyBowl(name="first", colour="red"),
    bowls=(ToyBowl(name="a", colour="green"), ToyBowl(name="b", colour="blue")),
    place=Chipped(chip="42"),
)


def written_by_the_older(change: Callable[[Cat], Any], state: Entity = NEW) -> dict[str, Any] | None:
    """Return the state after the newer release wrote one and the older release changed it."""
    newer = InMemory(release(type(state), lambda cat: cat.but()))
    newer.put(state)
    older = InMemory(release(Cat, change))
    older._store = dict(newer._store)
    heard = older.hear(older.delivery(Fed(cat="m")))
    assert heard.quarantined == []
    return older.record("cat", "m").state


def bowls(state: dict[str, Any] | None) -> list[tuple[str, str | None]]:
    """Return name and colour of each bowl."""
    assert state is not None
    return [(bowl["name"], bowl.get("colour")) for bowl in state["bowls"]]


def test_an_older_release_keeps_the_fields_it_does_not_know_at_every_place() -> None:
    """Rule 31: it changed one field, and the rest stays as the newer release wrote it."""
    state = written_by_the_older(lambda cat: cat.but(meals=1))
    assert NewCat.model_validate(state) == NEW.but(meals=1)


def test_a_state_that_is_made_anew_keeps_them_as_well() -> None:
    """A reaction need not copy the fields: the engine merges its state over the stored one of the same key."""
    state = written_by_the_older(lambda cat: Cat(cat=cat.cat, meals=1, bowl=Bowl(name="second"), bowls=cat.bowls))
    assert state is not None
    assert (state["treats"], state["bowl"]) == (7, {"name": "second", "grams": 0, "colour": "red"})
    assert bowls(state) == [("a", "green"), ("b", "blue")]


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda a, b: (a.model_copy(update={"grams": 5}), b), [("a", "green"), ("b", "blue")]),
        (lambda a, b: (a, b, Bowl(name="c")), [("a", "green"), ("b", "blue"), ("c", None)]),
        (lambda a, b: (Bowl(name="c"), a, b), [("c", None), ("a", "green"), ("b", "blue")]),
        (lambda _a, b: (b,), [("b", "blue")]),
        (lambda a, b: (b, a), [("b", "blue"), ("a", "green")]),
        (lambda _a, b: (b.model_copy(update={"grams": 5}), Bowl(name="c")), [("b", "blue"), ("c", None)]),
        (lambda _a, b: (Bowl(name="c"), b), [("c", "green"), ("b", "blue")]),
        (lambda a, _b: (Bowl(name="c", grams=9), a, Bowl(name="d")), [("c", None), ("a", "green"), ("d", None)]),
        (lambda _a, _b: (), []),
    ],
)
def test_a_part_of_a_tuple_keeps_them_wherever_it_stands_afterwards(change: Any, left: list[Any]) -> None:
    """A part keeps the fields of the equal part, else of the one with the same first field, else of its place."""
    assert bowls(written_by_the_older(lambda cat: cat.but(bowls=change(*cat.bowls)))) == left


def test_two_parts_that_look_the_same_to_the_older_release_each_keep_their_own() -> None:
    """Both look equal to it, so the position decides."""
    twins = NEW.but(bowls=(ToyBowl(name="a", colour="green"), ToyBowl(name="a", colour="blue")))
    state = written_by_the_older(lambda cat: cat.but(bowls=(*cat.bowls, Bowl(name="a"))), twins)
    assert bowls(state) == [("a", "green"), ("a", "blue"), ("a", None)]


def test_another_alternative_of_a_union_inherits_nothing() -> None:
    """A cat that stays in has no chip; one that still goes out keeps it."""
    inside = written_by_the_older(lambda cat: cat.but(place=Indoors()))
    outside = written_by_the_older(lambda cat: cat.but(place=Outdoors()))
    assert inside is not None
    assert outside is not None
    assert inside["place"] == {"kind": "indoors"}
    assert outside["place"] == {"kind": "outdoors", "chip": "42"}


def test_a_deleted_entity_leaves_nothing_behind() -> None:
    """A later entity under the same key is a different one."""
    older = InMemory(release(Cat, lambda cat: cat.gone() if cat.meals == 0 else cat))
    newer = InMemory(release(NewCat, lambda cat: cat))
    newer.put(NEW)
    older._store = dict(newer._store)
    older.hear(older.delivery(Fed(cat="m"), 1))
    assert older.record("cat", "m").state is None
    newer._store = dict(older._store)
    newer.hear(newer.delivery(Fed(cat="m"), 2))
    assert newer.entities["cat", "m"] == NewCat(cat="m")


def test_every_reaction_to_one_event_keeps_them() -> None:
    """The second reaction sees the result of the first."""
    service = release(Cat, lambda cat: cat.but(meals=cat.meals + 1))

    @service.on(Fed, name="again")
    def again(cats: Annotated[Mapping[str, Cat], named_by("cat")], fed: Fed) -> Decision:
        return cats[fed.cat].but(meals=cats[fed.cat].meals + 1)

    newer = InMemory(release(NewCat, lambda cat: cat))
    newer.put(NEW)
    older = InMemory(service)
    older._store = dict(newer._store)
    older.hear(older.delivery(Fed(cat="m")))
    assert NewCat.model_validate(older.record("cat", "m").state) == NEW.but(meals=2)


def test_two_releases_take_turns_and_nothing_is_lost() -> None:
    """They take turns forward and back, as in a roll-out that is undone."""
    newer = InMemory(release(NewCat, lambda cat: cat.but(meals=cat.meals + 1, treats=cat.treats + 1)))
    older = InMemory(release(Cat, lambda cat: cat.but(meals=cat.meals + 1)))
    older._store = newer._store
    for number, replica in enumerate([older, newer, older, older, newer], start=1):
        replica._store = (newer if replica is older else older)._store
        assert replica.hear(replica.delivery(Fed(cat="m"), number)).quarantined == []
    assert newer.entities["cat", "m"] == NewCat(cat="m", meals=5, treats=2)


class Door(Entity, key="door", kind="door"):
    """As it was."""

    door: Id
    opened: bool = False
    hinges: tuple[Bowl, ...] = ()


class Renamed(Entity, key="door", kind="door"):
    """One field is called otherwise."""

    door: Id
    is_open: bool = False


class RenamedPart(Value):
    """One field of a part is called otherwise."""

    name: str
    weight: int = 0


class WithRenamedPart(Entity, key="door", kind="door"):
    """One field of a part is called otherwise."""

    door: Id
    opened: bool = False
    hinges: tuple[RenamedPart, ...] = ()


class Dropping(Renamed, key="door", kind="door", drops=("opened", "hinges")):
    """The old fields are given up on purpose."""


class Aliased(Entity, key="door", kind="door", drops=("hinges",)):
    """The old name is still read."""

    door: Id
    is_open: bool = Field(default=False, validation_alias=AliasChoices("is_open", "opened"))


class Unreadable(Entity, key="door", kind="door"):
    """What was a truth is a number of degrees that is never zero."""

    door: Id
    opened: Annotated[int, Field(ge=5)] = 90
    hinges: tuple[Bowl, ...] = ()


class Rang(Event, type="door.rang.v1", subject="door"):
    """Somebody rang."""

    door: Id


def rung(entity: type[Entity]) -> tuple[list[str], dict[str, Any] | None]:
    """Return why a release quarantines a ring, and the state afterwards; another release opened the door."""
    service = Service("porch")

    def answer(door: Any, rang: Rang) -> Any:  # noqa: ARG001 - it is heard
        return door.but()

    answer.__annotations__ = {"door": entity, "rang": Rang, "return": Decision}
    service.on(Rang)(answer)
    memory = InMemory(service)
    before = EntityRecord(1, Door(door="d", opened=True, hinges=(Bowl(name="top", grams=3),)).model_dump(mode="json"))
    memory.restore({("door", "d"): before})
    return memory.hear(memory.delivery(Rang(door="d"))).quarantined, memory.record("door", "d").state


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        (Renamed, ["kept with hinges, opened", "without is_open", 'drops=("hinges", "opened",)']),
        (WithRenamedPart, ["kept with hinges.grams", "without hinges.weight"]),
        (Unreadable, ["cannot read", "'opened'"]),
    ],
)
def test_a_state_of_other_words_is_set_aside_and_not_made_up(entity: type[Entity], words: list[str]) -> None:
    """A default in place of a renamed field would make the service act twice."""
    [reason], state = rung(entity)
    assert reason.startswith("Not yet: the door 'd'")
    assert all(word in reason for word in words)
    assert state == {"door": "d", "opened": True, "hinges": [{"name": "top", "grams": 3}]}


def test_a_field_that_is_dropped_on_purpose_is_gone_with_the_next_write() -> None:
    """The declaration says that the default is meant."""
    assert rung(Dropping) == ([], {"door": "d", "is_open": False})


def test_a_field_whose_old_name_is_still_read_is_the_same_field() -> None:
    """It is read under the old name, and written only once."""
    assert rung(Aliased) == ([], {"door": "d", "is_open": True})


def test_what_a_later_release_of_the_library_keeps_beside_an_entity_stays_there() -> None:
    """The record itself is kept state."""
    text = '{"later":[1],"v":3,"s":{"door":"d"},"zz":{"a":1}}'
    record = EntityRecord.decode(text).copy()
    record.version += 1
    assert EntityRecord.decode(record.encode()).others == {"later": [1], "zz": {"a": 1}}
    assert EntityRecord.decode(record.encode()).version == 4


def test_an_outcome_of_a_later_release_of_the_library_is_read() -> None:
    """A redelivery must find it, whatever other fields it has by then."""
    outcome = Outcome("e1", "digest", NOON)
    assert Outcome.from_json([*outcome.to_json(), "something new"]) == outcome


class Known(BaseModel):
    """A model with a dictionary of parts."""

    parts: dict[str, Bowl] = {}


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3)),
)
def test_a_dictionary_keeps_them_under_the_keys_that_stay(before: dict[str, int], after: dict[str, int]) -> None:
    """A removed key is gone, and a new one begins empty."""
    stored = {"parts": {key: {"name": key, "grams": grams, "colour": f"of {key}"} for key, grams in before.items()}}
    old = Known.model_validate(stored)
    new = Known(parts={key: Bowl(name=key, grams=grams) for key, grams in after.items()})
    merged = laid_over(StateMerge(stored, old, new, new.model_dump(mode="json")))
    assert Known.model_validate(merged) == new
    colours = {key: part.get("colour") for key, part in merged["parts"].items()}
    assert colours == {key: f"of {key}" if key in before else None for key in after}


def test_a_difference_is_told_with_its_place() -> None:
    """Fields that this release knows are not reported."""
    stored = NEW.model_dump(mode="json")
    assert list(differences(stored, NEW)) == []
    older = Cat.model_validate(stored)
    found = {one.path(name) for one in differences(stored, older) for name in one.unknown}
    assert found == {"treats", "bowl.colour", "bowls.colour", "place.chip"}
