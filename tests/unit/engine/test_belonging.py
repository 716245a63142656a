"""Types are bound to topics and sources: any other event is quarantined without running."""

from __future__ import annotations

from typing import Any

import pytest

from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.fate import Fate
from choreography.topics import CONTROL, canary, dead_letters, intents
from tests.unit.engine.events import came, nudge, raw, replay, state_of, wire
from tests.unit.engine.replica import Replica, World, said
from tests.unit.engine.toy import Box, Put, desk

PUT = Put(box="a", amount=1)
HOME = Put.topic
"""The topic on which this type belongs."""


def by(topic: str, delivery: Delivery) -> Delivery:
    """Return a delivery that comes by a topic."""
    return delivery._replace(topic=topic)


def reason(world: World, *deliveries: Delivery) -> str:
    """Deliver; check that no box changed, and return the reason for the one quarantine."""
    assert Replica(world).deliver(*deliveries) == [True] * len(deliveries)
    assert state_of(world, Box, "a") is None
    [text] = world.broker.texts()
    told: str = said(text)["reason"]
    return told


def test_a_type_on_its_own_topic_is_run() -> None:
    """Rule 27: topic and source fit the type."""
    world = World(desk)
    assert Replica(world).deliver(by(HOME, came(PUT, "e1"))) == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


def test_a_type_on_the_topic_of_another_is_set_aside() -> None:
    """Rule 27: the right to publish on one topic is no right to publish every type."""
    told = reason(World(desk), by("elsewhere", came(PUT, "e1")))
    assert repr(HOME) in told
    assert "'elsewhere'" in told


def test_a_version_that_this_release_does_not_know_belongs_where_its_family_does() -> None:
    """Rule 27: on a foreign topic it must not wait as *not yet* for a release that would run it."""
    told = reason(World(desk), by("elsewhere", came(PUT, "e1", type="coins.put.v9")))
    assert "belongs on the topic" in told


def test_the_true_event_is_run_although_a_false_one_had_its_id() -> None:
    """Rule 27: somebody who can write one topic cannot block the events of another."""
    world = World(desk)
    Replica(world).deliver(by("elsewhere", came(PUT, "e1")))
    Replica(world).deliver(by("elsewhere", came(Put(box="a", amount=500), "e2")))
    Replica(world).deliver(by(HOME, came(PUT, "e1")), by(HOME, came(PUT, "e2")))
    assert state_of(world, Box, "a") == Box(box="a", coins=2)


def test_a_false_copy_of_an_event_that_was_just_published_is_set_aside_too() -> None:
    """Rule 27: a replica remembers only events that came by the right topic."""
    world = World(desk)
    replica = Replica(world)
    replica.deliver(by(HOME, came(PUT, "e1")))
    [ended] = replica.settle(by("elsewhere", came(PUT, "e1")))
    assert ended.fate is Fate.QUARANTINED


def test_a_replay_does_not_run_what_came_by_the_wrong_topic() -> None:
    """Rules 27 and 28: the record holds the topic by which the event came."""
    world = World(desk)
    Replica(world).deliver(by("elsewhere", came(PUT, "e1")))
    name = said(world.broker.texts()[0])["event_id"]
    assert Replica(world).control(replay("r1", {"id": name})) == [True]
    assert state_of(world, Box, "a") is None


@pytest.mark.parametrize("owner", ["shop", ""])
def test_an_event_counts_from_its_owner_only(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 27: this holds if the contract names an owner."""
    monkeypatch.setattr(Put, "owned_by", owner, raising=False)
    world = World(desk)
    Replica(world).deliver(by(HOME, came(PUT, "e1", source="thief")), by(HOME, came(PUT, "e2", source="shop")))
    assert state_of(world, Box, "a") == Box(box="a", coins=1 if owner else 2)
    reasons = [said(text)["reason"] for text in world.broker.texts() if "reason" in said(text)]
    assert [("'thief'" in one, "'shop'" in one) for one in reasons] == ([(True, True)] if owner else [])


def library_events() -> dict[str, tuple[str, Delivery]]:
    """Return events that only the library publishes, each by a wrong topic."""
    made_up: dict[str, Any] = {"data": {}}
    return {
        "a nudge among events": (HOME, nudge("n1", wire(PUT, "e1"))),
        "a replay among events": (HOME, replay("r1", wire(PUT, "e1"))),
        "a letter among events": (HOME, came(PUT, "e1", type="choreography.quarantined.v1", **made_up)),
        "an intent among events": (HOME, came(PUT, "e1", type="choreography.intent.v1", source="desk", **made_up)),
        "a letter among nudges": (CONTROL, came(PUT, "e1", type="choreography.quarantined.v1", **made_up)),
        "a canary among nudges": (CONTROL, came(PUT, "e1", type="choreography.canary.v1", source="desk", **made_up)),
        "an event among nudges": (CONTROL, came(PUT, "e1")),
        "an event among canaries": (canary("desk"), came(PUT, "e1")),
        "garbage among canaries": (canary("desk"), read_delivery(b"?")),
        "somebody else's canary": (canary("desk"), came(PUT, "e1", type="choreography.canary.v1", source="thief")),
        "an event among intents": (intents("desk"), came(PUT, "e1")),
        "garbage among intents": (intents("desk"), raw({"type": "com.dapr.event.sent"})),
        "somebody else's intent": (intents("desk"), came(PUT, "e1", type="choreography.intent.v1", source="thief")),
        "an unreadable letter among events": (HOME, raw({"type": "choreography.quarantined.v1", "id": "x"})),
    }


@pytest.mark.parametrize("name", library_events())
def test_what_claims_to_be_ours_and_is_not_gets_a_letter(name: str) -> None:
    """Rules 26 and 27: it must never be ignored silently."""
    topic, delivery = library_events()[name]
    world = World(desk)
    told = reason(world, by(topic, delivery))
    assert topic in told
    [letter] = world.broker.published
    assert letter.topic == dead_letters("desk")
    assert said(letter.encoded)["topic"] == topic


def test_what_claims_nothing_is_ignored_on_a_topic_of_events() -> None:
    """Rule 26: an undeclared type is no event of this flow, however incomplete it is."""
    world = World(desk)
    stray = [by(HOME, raw({"type": "com.dapr.event.sent", "id": "x"})), by(HOME, came(PUT, "e", type="some.body.v1"))]
    assert [one.fate for one in Replica(world).settle(*stray)] == [Fate.IGNORED, Fate.IGNORED]
    assert world.store.rows == {}
