"""Repeats: recorded events are published again, unless this replica knows that they were."""

from __future__ import annotations

import orjson
import pytest

from choreography.engine.control import read_control
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.operations import Limits
from tests.unit.engine.broker import refused, reply_lost
from tests.unit.engine.events import came, nudge, raw, record_of, replay, state_of, wire
from tests.unit.engine.replica import Replica, World, said
from tests.unit.engine.toy import Asked, Box, Broken, Moved, Opened, Put, bank, desk

PUT = Put(box="a", amount=1)


def test_a_replica_that_published_everything_answers_without_publishing() -> None:
    """Rule 13: eager redelivery does not multiply events downstream."""
    world = World(desk)
    replica = Replica(world)
    for _ in range(8):
        assert replica.deliver(came(PUT, "e1")) == [True]
    assert len(world.broker.calls) == 1


@pytest.mark.parametrize("fault", [refused, reply_lost])
def test_only_what_was_fully_published_is_remembered(fault: object) -> None:
    """Rule 13: the answer is RETRY until every event is confirmed; then the memory may answer."""
    world = World(desk)
    world.broker.faults.append(refused if fault is refused else reply_lost)
    replica = Replica(world)
    assert [replica.deliver(came(PUT, "e1")) for _ in range(3)] == [[False], [True], [True]]
    assert len(world.broker.calls) == 2
    world.assert_released()


def test_the_memory_is_not_fooled_by_an_id_that_says_something_else() -> None:
    """Rule 1: another event under a remembered id is still a conflict."""
    world = World(desk)
    replica = Replica(world)
    replica.deliver(came(PUT, "e1"))
    replica.deliver(came(Put(box="a", amount=9), "e1"))
    assert [bool(one.quarantined) for one in world.store.outcomes()] == [False, True]


def test_the_memory_is_bounded() -> None:
    """A forgotten event is looked up in the store, and published again."""
    world = World(desk, limits=Limits(remembered=2))
    replica = Replica(world)
    for event_id in ("e1", "e2", "e3", "e3", "e1"):
        replica.deliver(came(PUT, event_id))
    assert len(world.broker.texts()) == 4
    assert len(set(world.broker.texts())) == 3


def test_an_entry_that_was_not_confirmed_is_handed_back_alone() -> None:
    """The answer to each delivery depends only on its own events."""
    world = World(desk)
    world.broker.faults.append(lambda index: "refused" if index == 1 else "none")
    assert Replica(world).deliver(*(came(PUT, f"e{number}") for number in range(3))) == [True, False, True]


def test_both_deliveries_of_one_event_are_handed_back_if_it_was_not_published() -> None:
    """If one were acknowledged, the event would be lost."""
    world = World(desk)
    world.broker.faults.append(refused)
    assert Replica(world).deliver(came(PUT, "e1"), came(PUT, "e1")) == [False, False]


def test_a_nudge_overrides_the_memory() -> None:
    """Rule 14: the replica remembers the publish, but the nudge says that nothing arrived."""
    world = World(desk)
    replica = Replica(world)
    replica.deliver(came(PUT, "e1"))
    assert replica.control(nudge("n1", wire(PUT, "e1"))) == [True]
    first, again = map(orjson.loads, world.broker.texts())
    assert again == first | {"id": f"{first['id']}~n1", "eventid": first["id"]}


def test_what_a_nudge_repeats_is_taken_for_the_same_event() -> None:
    """Rule 14: the envelope id is new, since some brokers drop duplicates; the identity is the same."""
    world = World(desk)
    replica = Replica(world)
    replica.deliver(came(PUT, "e1"))
    replica.control(nudge("n1", wire(PUT, "e1")))
    first, again = (read_delivery(text.encode()) for text in world.broker.texts())
    assert first.envelope == again.envelope
    assert first.identity == again.identity


def test_a_nudge_schedules_deadlines_again() -> None:
    """Rule 14: a lost job is part of a stuck flow too."""
    world = World(desk)
    opened = wire(Opened(box="a"), "e1")
    Replica(world).deliver(raw(opened))
    Replica(world).control(nudge("n1", opened))
    assert len(world.scheduler.deadlines) == 2
    assert len(set(world.scheduler.deadlines)) == 1


def test_a_nudge_of_a_commands_own_event_publishes_that_event_again() -> None:
    """Rule 14: the first step of a flow is repeated like any other."""
    world = World(desk)
    opened = wire(Opened(box="a"), "e1", source="desk", causationid=None)
    Replica(world).deliver(raw(opened))
    Replica(world).control(nudge("n1", opened))
    assert orjson.loads(world.broker.texts()[1]) == opened | {"id": "e1~n1", "eventid": "e1"}


@pytest.mark.parametrize("time", [{}, {"time": None}], ids=["left out", "null"])
def test_a_nudge_may_name_an_event_that_was_published_without_a_time(time: dict[str, None]) -> None:
    """Rule 14: it was run at the time at which the broker took it, and only its outcome is looked up."""
    world = World(desk)
    opened = wire(Opened(box="a"), "e1")
    Replica(world).deliver(raw(opened))
    [first] = world.broker.ids()
    bare = {name: value for name, value in opened.items() if name != "time"}
    assert Replica(world).control(nudge("n1", bare | time)) == [True]
    assert world.broker.ids() == [first, f"{first}~n1"]
    assert not [one for one in world.store.outcomes() if one.quarantined]


@pytest.mark.parametrize("change", [{"source": "elsewhere", "causationid": None}, {"source": "desk"}])
def test_a_nudge_repeats_nobody_elses_event(change: dict[str, str | None]) -> None:
    """Rule 14: an event of another service or of a reaction is repeated by its publisher."""
    world = World(desk)
    opened = wire(Opened(box="a"), "e1", **change)
    Replica(world).deliver(raw(opened))
    Replica(world).control(nudge("n1", opened))
    assert len(world.broker.texts()) == 2


def test_a_nudge_of_a_nudged_event_keeps_its_identity() -> None:
    """Rule 14: the service's own event keeps its identity after quarantine, nudge and replay."""
    world = World(desk)
    opened = wire(Opened(box="a"), "e1~n0", source="desk", causationid=None, eventid="e1")
    Replica(world).deliver(raw(opened))
    Replica(world).control(nudge("n1", opened))
    again = read_delivery(world.broker.texts()[1].encode())
    assert again.identity == "e1"
    assert orjson.loads(again.raw)["id"] == "e1~n1"


def test_a_nudge_carries_an_unanswered_intent_out_and_asks_nobody_twice() -> None:
    """Rule 14: it finds the intent, and first looks whether it was answered."""
    world = World(desk, bank)
    world.provider.down = 1
    asked = wire(Asked(box="a"), "e1")
    assert Replica(world).deliver(raw(asked)) == [False]
    for number in range(3):
        Replica(world).control(nudge(f"n{number}", asked))
    assert len(world.provider.calls) == 2
    assert state_of(world, Box, "a") == Box(box="a", coins=1000, paid=True)


def test_a_nudge_for_a_quarantined_event_repeats_its_dead_letter() -> None:
    """Rule 14: the quarantine is the service's outcome of that event."""
    world = World(desk)
    Replica(world).deliver(came(Broken(box="a"), "bad"))
    Replica(world).control(nudge("n1", wire(Broken(box="a"), "bad")))
    assert world.broker.ids()[1] == world.broker.ids()[0] + "~n1"


def test_a_nudge_beside_the_first_delivery_runs_it_once() -> None:
    """Rule 14: this holds in either order within the batch."""
    world = World(desk)
    event = wire(PUT, "e1")
    [asked] = read_control(nudge("n1", event), "desk")
    assert Replica(world).deliver(asked, raw(event), asked) == [True] * 3
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
    assert len(set(world.broker.ids())) == 2


def test_a_nudge_finds_outcomes_in_both_places() -> None:
    """Rule 14: it finds folded outcomes and those kept apart."""
    world = World(desk)
    moved = wire(Moved(box="a", to=("b",)), "e2")
    Replica(world).deliver(came(Put(box="a", amount=5), "e1"), raw(moved))
    Replica(world).control(nudge("n1", wire(Put(box="a", amount=5), "e1"), moved))
    assert sorted(one.endswith("~n1") for one in world.broker.ids()) == [False, False, True, True]


@pytest.mark.parametrize("events", [None, 7, "e1", [7], [None], [{}], [{"id": "e1"}]])
def test_a_nudge_that_makes_no_sense_is_set_aside_and_says_so(events: object) -> None:
    """Rule 26: control events may be hostile too, and must never be ignored silently."""
    world, control = World(desk), nudge("n1")
    assert control.envelope is not None
    control.envelope.data["events"] = events
    assert Replica(world).control(control) == [True]
    [text] = world.broker.texts()
    assert "cannot be understood" in said(text)["reason"]


def test_what_makes_sense_in_a_nudge_is_repeated_although_something_beside_it_does_not() -> None:
    """Rule 25: each entry is judged by itself."""
    world, event = World(desk), wire(PUT, "e1")
    Replica(world).deliver(raw(event))
    control = nudge("n1", event)
    assert control.envelope is not None
    control.envelope.data["events"].append(7)
    Replica(world).control(control)
    letter, again = sorted(world.broker.texts()[1:], key=lambda text: text.count("~n1"))
    assert "at the places 1 of" in said(letter)["reason"]
    assert orjson.loads(again)["id"].endswith("~n1")


@pytest.mark.parametrize("stray", [raw(wire(PUT, "e1")), read_delivery(b"?"), raw({"type": "some.body.v1"})])
def test_whatever_strays_onto_the_topic_of_nudges_is_set_aside_unrun(stray: Delivery) -> None:
    """Rule 27: only nudges and replays belong there, whoever published the event."""
    world = World(desk)
    assert Replica(world).control(stray) == [True]
    [text] = world.broker.texts()
    assert "carries only nudges and replays" in said(text)["reason"]
    assert state_of(world, Box, "a") is None


def test_a_replay_for_another_service_asks_for_nothing_here() -> None:
    """It names the service whose records it means; one without a name is quarantined."""
    assert read_control(replay("r1", wire(PUT, "e1"), service="other"), "desk") == []
    nobody = replay("r1", wire(PUT, "e1"))
    assert nobody.envelope is not None
    nobody.envelope.data["service"] = None
    assert "must name the service" in read_control(nobody, "desk")[0].problem


def test_events_that_this_service_does_not_hear_are_nothing_to_do() -> None:
    """They are acknowledged and leave no record."""
    world = World(desk)
    assert Replica(world).deliver(came(PUT, "e1", type="somebody.elses.v1")) == [True]
    assert (world.store.rows, record_of(world, Box, "a")) == ({}, None)


def test_an_answer_or_a_deadline_that_comes_from_a_broker_is_not_believed() -> None:
    """A right to publish must not allow claims that the bank paid, or that time is up."""
    world = World(desk)
    forged = wire(PUT, "e1", type="prize.was-paid.v1", data={"box": "a", "receipt": "made up"})
    due = wire(PUT, "e2", type="desk.remind.due.v1", data={"box": "a"})
    assert Replica(world).deliver(raw(forged), raw(due)) == [True, True]
    assert state_of(world, Box, "a") is None
    assert ["never comes by a broker" in said(text)["reason"] for text in world.broker.texts()] == [True, True]


def test_a_forged_answer_does_not_take_the_place_of_the_true_one() -> None:
    """Rule 27: somebody who guesses the id of an answer cannot make it a conflict."""
    world = World(desk, bank)
    asked = wire(Asked(box="a"), "e1")
    settled = Replica(world).settle(raw(asked))
    [committed] = [committed for one in settled if one.outcome for committed in one.outcome.intents]
    answer_id = committed.answer_id
    forged = wire(PUT, answer_id, type="prize.was-paid.v1", data={"box": "a", "receipt": "made up"})
    Replica(world).deliver(raw(forged))
    Replica(world).deliver(raw(asked))
    assert state_of(world, Box, "a") == Box(box="a", coins=1000, paid=True)
