"""Outcomes from the time of one topic for each service: their events still reach consumers."""

from __future__ import annotations

import pytest

from choreography.engine.control import read_control
from tests.unit.engine.broker import refused
from tests.unit.engine.events import came, nudge, wire
from tests.unit.engine.replica import Replica, World
from tests.unit.engine.toy import Broken, Moved, Opened, Put, desk

PUT = Put(box="a", amount=1)
OPENED = wire(Opened(box="a"), "e1", source="desk", causationid=None)


def recorded_long_ago(world: World) -> None:
    """Let every record name the one topic that its service once had."""
    for key, row in world.store.rows.items():
        text = row.value
        for topic in (*desk.topics, Opened.topic):
            text = text.replace(f'["{topic}",', '["desk",')
        world.store.rows[key] = row._replace(value=text)


@pytest.mark.parametrize("event", [PUT, Moved(box="a", to=("b", "c"))], ids=["folded", "apart"])
def test_a_repeat_goes_to_the_topic_of_its_family_whatever_topic_was_recorded(event: Put | Moved) -> None:
    """No service consumes the old topic any more, so the flow would stand still."""
    world = World(desk)
    Replica(world).deliver(came(Put(box="a", amount=5), "filled"))
    world.broker.faults.append(refused)
    assert Replica(world).deliver(came(event, "e1")) == [False]
    recorded_long_ago(world)
    world.broker.published.clear()
    assert Replica(world).deliver(came(event, "e1")) == [True]
    [said] = world.broker.published
    assert said.topic in ("box.counted", "coins.shifted")


def test_a_nudge_of_an_old_flow_publishes_on_the_topics_of_today() -> None:
    """This includes the event of the command, whose record is the only one of it."""
    world = World(desk)
    Replica(world).deliver(came(Opened(box="a"), "e1", source="desk", causationid=None))
    recorded_long_ago(world)
    world.broker.published.clear()
    Replica(world).deliver(*read_control(nudge("n1", OPENED), "desk"))
    assert [event.topic for event in world.broker.published] == ["box.opened", "box.counted"]


def test_a_dead_letter_stays_on_its_services_own_topic() -> None:
    """It is no event of a family."""
    world = World(desk)
    for _ in range(2):
        Replica(world).deliver(came(Broken(box="a"), "bad"))
    assert {event.topic for event in world.broker.published} == {"desk-dead-letters"}
