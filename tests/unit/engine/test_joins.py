"""Joins give the same result in every order of fills and undoings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choreography import Event
from choreography.engine.records import EntityRecord
from tests.unit.engine.events import came, record_of, state_of
from tests.unit.engine.replica import Replica, World, said
from tests.unit.engine.toy import Left, LeftLost, Right, Shoes, Walked, desk

LEFT, RIGHT, LOST = Left(box="a"), Right(box="a"), LeftLost(box="a")


def after(order: Sequence[tuple[str, Event]], *, together: bool = False) -> World:
    """Return the world after these events, each in a batch of its own or all in one."""
    world = World(desk)
    batch = [came(event, event_id) for event_id, event in order]
    for part in [batch] if together else [[one] for one in batch]:
        assert all(Replica(world).deliver(*part))
    return world


def slots(world: World) -> dict[str, object]:
    """Return the slots of the pair of shoes."""
    record = record_of(world, Shoes, "a")
    assert record is not None
    return dict(record.slots)


@pytest.mark.parametrize("together", [False, True])
def test_the_output_does_not_depend_on_which_event_came_last(together: bool) -> None:
    """Rule 21: its id derives from join and entity, so two replicas that complete it publish the same."""
    orders = itertools.permutations([("l", LEFT), ("r", RIGHT)])
    worlds = [after(order, together=together) for order in orders]
    assert worlds[0].broker.ids() == worlds[1].broker.ids()
    assert [said(text) for world in worlds for text in world.broker.texts()] == [{"box": "a", "colour": "red"}] * 2
    assert [state_of(world, Shoes, "a") for world in worlds] == [Shoes(box="a", walked=True)] * 2


def test_a_join_runs_once_however_often_its_events_come() -> None:
    """Rule 21: repeats, and the same content under another id, change nothing."""
    world = after([("l", LEFT), ("l2", LEFT), ("r", RIGHT), ("r", RIGHT), ("l3", LEFT), ("r2", RIGHT)])
    assert len(set(world.broker.texts())) == 1
    world.assert_released()


@pytest.mark.parametrize("fired", [False, True])
def test_a_differing_second_event_is_set_aside(fired: bool) -> None:
    """Rule 21: the slot keeps the first, before and after the join ran; only a person can tell which is true."""
    order: list[tuple[str, Event]] = [
        ("l", LEFT),
        *([("r", RIGHT)] if fired else []),
        ("l2", Left(box="a", colour="blue")),
    ]
    world = after([*order, ("r", RIGHT)])
    assert [one.event_id for one in world.store.outcomes() if one.quarantined] == ["l2"]
    walked = [said(event.encoded) for event in world.broker.published if Walked.wire_type in event.encoded]
    assert {one["colour"] for one in walked} == {"red"}


def test_an_undo_empties_the_slot_while_the_join_has_not_run() -> None:
    """Rule 21: a shoe that was lost again does not count."""
    world = after([("l", LEFT), ("lost", LOST), ("r", RIGHT)])
    assert world.broker.texts() == []


def test_an_undo_after_the_join_has_run_changes_nothing() -> None:
    """Rule 21: a published event cannot be taken back."""
    before, world = after([("l", LEFT), ("r", RIGHT)]), after([("l", LEFT), ("r", RIGHT), ("lost", LOST)])
    assert slots(before) == slots(world)
    assert len(world.broker.texts()) == 1


def test_an_undo_that_overtakes_what_it_undoes_cancels_it_on_arrival() -> None:
    """Rule 21: brokers keep no order."""
    world = after([("lost", LOST), ("l", LEFT), ("r", RIGHT)])
    assert world.broker.texts() == []


@given(st.permutations([("l", LEFT), ("lost", LOST), ("r", RIGHT)]))
def test_a_fill_and_its_undo_cancel_each_other_in_either_order(order: list[tuple[str, Event]]) -> None:
    """Rule 21: unless the join ran before the undo, the same slots remain in every order."""
    world = after(order)
    if order[-1] == ("lost", LOST):
        assert state_of(world, Shoes, "a") == Shoes(box="a", walked=True)
    else:
        assert slots(world) == slots(after([("l", LEFT), ("lost", LOST), ("r", RIGHT)]))
        assert world.broker.texts() == []


@given(st.lists(st.sampled_from(["l", "lost", "r"]), max_size=6), st.integers(0, 6), st.data())
def test_a_join_does_not_depend_on_how_its_events_are_batched(order: list[str], cut: int, data: st.DataObject) -> None:
    """One transaction or several leave the same slots and publish the same events."""
    names = {"l": LEFT, "lost": LOST, "r": RIGHT}
    events = [(f"{name}{data.draw(st.integers(0, 1))}", names[name]) for name in order]
    one_by_one, in_two = World(desk), World(desk)
    for event_id, event in events:
        Replica(one_by_one).deliver(came(event, event_id))
    for part in (events[:cut], events[cut:]):
        Replica(in_two).deliver(*(came(event, event_id) for event_id, event in part))
    assert _kept(one_by_one) == _kept(in_two)
    assert {_without_cause(text) for text in one_by_one.broker.texts()} == {
        _without_cause(text) for text in in_two.broker.texts()
    }


def _kept(world: World) -> list[tuple[object, object]]:
    records: list[EntityRecord] = list(world.store.entities().values())
    return [(record.slots, record.state) for record in records]


def _without_cause(text: str) -> str:
    return str(said(text))
