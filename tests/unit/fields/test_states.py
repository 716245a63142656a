"""A field may hold one of several states with data of their own: tools see its parts and try each state."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from choreography import Decision, Entity, Event, Service, Value, nothing
from choreography.analysis.examples import choices
from choreography.analysis.lifecycle import lifecycle
from choreography.fields import alternatives, parts_of, spread, tag_of
from choreography.stores.views import columns_of, views
from choreography.testing import given, states_of


class Off(Value):
    """Dark."""

    mode: Literal["off"] = "off"


class On(Value):
    """Bright."""

    mode: Literal["on", "blinking"]
    watts: int
    warm: bool = False


class Lamp(Entity, key="lamp", drops=("watts",)):
    """A lamp that kept its watts beside its mode once."""

    lamp: str
    room: str = ""
    now: Annotated[Off | On, Field(discriminator="mode")] = Off()
    before: Off | On | None = None


class Pressed(Event, owner="house", subject="lamp", type="button.pressed.v1"):
    """Somebody wants light, or none."""

    lamp: str
    watts: int = 40


house = Service("house", publishes=[Pressed])


@house.on(Pressed)
def switch(lamp: Lamp, pressed: Pressed) -> Decision:
    """Light the lamp, let it blink, put it out."""
    match lamp.now:
        case Off():
            return lamp.but(now=On(mode="on", watts=pressed.watts))
        case On(mode="on", watts=watts):
            return lamp.but(now=On(mode="blinking", watts=watts))
        case On():
            return nothing


def test_a_tagged_union_is_known_by_its_tag() -> None:
    """It has a tag with or without a discriminator; any other union has none."""
    assert alternatives(Lamp.model_fields["now"].annotation) == (Off, On)
    assert alternatives(Lamp.model_fields["before"].annotation) == (Off, On)
    assert alternatives(Annotated[Off | On, "as an alias"]) == (Off, On)
    assert tag_of(Off | On) == "mode"
    assert [hint for hint in (Off, int | str, Off | None, tuple[Off | On, ...]) if tag_of(hint)] == []


def test_every_state_is_tried_in_each_of_its_own_combinations() -> None:
    """A state is not tried with fields that only another one has."""
    tried = [(one.mode, getattr(one, "warm", None)) for one in choices(Lamp)["now"]]
    assert tried == [("off", None), ("on", False), ("on", True), ("blinking", False), ("blinking", True)]
    bright = Lamp(lamp="l1", now=On(mode="on", watts=60))
    states = [one.now for one in states_of(bright) if isinstance(one, Lamp) and one.before is None]
    assert states[0] == Off()
    assert all(isinstance(one, On) and one.watts == 60 for one in states[1:])
    assert len(states_of(bright)) == 5 * 6


def test_the_life_of_an_entity_goes_from_tag_to_tag() -> None:
    """The picture and the checks follow the tag, and distinguish states by their other closed fields."""
    life = lifecycle(house, Lamp)
    assert {str(state[1]) for state in life.states if state} == {"off", "on", "blinking"}
    assert life.whole


def test_the_parts_of_a_state_are_shown_side_by_side() -> None:
    """They are shown as when each was a field of its own."""
    lit = Lamp(lamp="l1", now=On(mode="on", watts=60)).model_dump(mode="json")
    shown = {"lamp": "l1", "room": "", "mode": "on", "watts": 60, "warm": False, "before": None}
    assert spread(Lamp, lit) == shown
    del shown["before"]
    assert spread(Lamp, lit | {"before": {"mode": "off"}}) == shown | {"before_mode": "off"}
    assert [part.shown_as for part in parts_of(Lamp)["before"]] == ["before_mode", "before_watts", "before_warm"]


def test_a_view_has_a_column_for_each_part_and_shows_what_an_earlier_release_kept() -> None:
    """Old columns stay first and in their order, so that users' own views still work."""
    columns = {column.name: column for column in columns_of(Lamp)}
    assert list(columns) == ["lamp", "room", "watts", "mode", "warm", "before_mode", "before_watts", "before_warm"]
    assert columns["watts"].read("->") == "coalesce(state -> 'now' -> 'watts', state -> 'watts')"
    assert columns["mode"].read("->>") == "state -> 'now' ->> 'mode'"
    assert columns["watts"].read_in_sqlite() == "coalesce(state ->> '$.now.watts', state ->> '$.watts')"
    (made,) = views("house", [Lamp], postgres=True)
    assert "house.as_number(coalesce(state -> 'now' -> 'watts', state -> 'watts')) as \"watts\"" in made
    assert "house.as_truth(state -> 'now' -> 'warm') as \"warm\"" in made


def test_a_state_is_given_and_found_like_any_other_field() -> None:
    """Given, when, then."""
    given(house).when(Pressed(lamp="l1")).then(Lamp(lamp="l1", now=On(mode="on", watts=40)))
