"""An event that only another release can run is quarantined, noted, and replayed by that release."""

from __future__ import annotations

import orjson
import pytest

from choreography import Event, Intent, Service
from choreography.engine import not_yet
from choreography.engine.delivery import INTENT_TYPE, Delivery
from choreography.engine.not_yet import NotYet, page_keys, read_page
from choreography.engine.records import Quarantined
from tests.unit.engine.events import came, fired, raw, record_of, state_of, wire
from tests.unit.engine.other_desks import (
    PayEuros,
    release,
    waiting_for_the_next,
    with_another_key,
    with_effect,
    with_few_coins,
)
from tests.unit.engine.releases import newer
from tests.unit.engine.replica import NOON, Replica, World
from tests.unit.engine.toy import Asked, Box, Left, LeftLost, Opened, Pay, Put, Reminded, Right, Shoes, bank, desk

LEFT, RIGHT, LOST = Left(box="a"), Right(box="a"), LeftLost(box="a")


def aside(world: World) -> list[Quarantined]:
    """Return the quarantined events."""
    return [one.quarantined for one in world.store.outcomes() if one.quarantined]


def noted(world: World) -> dict[str, str]:
    """Return the notes on the pages."""
    rows = [world.store.rows.get(str(key)) for key in page_keys("desk")]
    return {one: needs for row in rows if row for one, needs in read_page(row.value).items()}


def come_home(world: World, service: Service, seen: NotYet | None = None) -> list[str]:
    """Let a process of a release look once at the notes; return the ids that it tried."""
    replica, seen = Replica(world, service=service), seen or NotYet(service, 100)
    identities: list[str] = replica.drive(seen.known())
    waiting: dict[str, Delivery | None] = replica.drive(seen.waiting(identities))
    if events := [delivery for delivery in waiting.values() if delivery]:
        assert all(replica.deliver(*events))
    replica.drive(seen.tried(identities))
    return identities


@pytest.mark.parametrize("event", [RIGHT, LOST, LEFT, Put(box="a", amount=1)])
def test_an_entity_in_which_an_unknown_join_waits_is_met_by_nothing(event: Event) -> None:
    """Rule 31: the release that knows a half-filled join must get every event of its entity."""
    world = World(release())
    Replica(world).deliver(came(LEFT, "e1"))
    before = record_of(world, Shoes, "a")
    assert Replica(world, service=release(join="stride")).deliver(came(event, "e2")) == [True]
    [bad] = aside(world)
    assert "waits in the join 'walk', which holds shoe.left.v1" in bad.reason
    assert 'when_all(..., name="walk")' in bad.reason
    after = record_of(world, Shoes, "a")
    assert before is not None
    assert after is not None
    assert (after.state, after.slots) == (before.state, before.slots)


def test_what_met_an_unknown_join_completes_it_in_the_release_that_knows_it() -> None:
    """Rule 31: this holds for a roll-out and for a rollback."""
    world = World(release())
    Replica(world).deliver(came(LEFT, "e1"))
    Replica(world, service=release(join="stride")).deliver(came(RIGHT, "e2"))
    assert come_home(world, release(join="stride")) == []
    assert come_home(world, release()) == ["e2"]
    assert state_of(world, Shoes, "a") == Shoes(box="a", walked=True)
    assert (aside(world), noted(world)) == ([], {})


def test_a_join_that_has_fired_is_only_history() -> None:
    """It may be dropped or renamed as soon as nothing waits in it."""
    world = World(release())
    Replica(world).deliver(came(LEFT, "e1"), came(RIGHT, "e2"))
    Replica(world, service=release(join="stride")).deliver(came(Put(box="a", amount=1), "e3"))
    assert (aside(world), state_of(world, Shoes, "a")) == ([], Shoes(box="a", walked=False))


def test_an_undoing_that_overtook_what_it_undoes_waits_in_a_join_too() -> None:
    """No slot is filled, but the next event must still wait for the release that knows the join."""
    world = World(release())
    Replica(world).deliver(came(LOST, "e1"))
    Replica(world, service=release(join="stride")).deliver(came(LEFT, "e2"))
    assert "holds shoe.left.v1" in aside(world)[0].reason


def test_an_event_that_a_join_does_not_await_any_more_is_not_passed_over() -> None:
    """The join has the same name and other events, so the old event in its slot would never be used."""
    world = World(release())
    Replica(world).deliver(came(RIGHT, "e1"))
    Replica(world, service=waiting_for_the_next()).deliver(came(LEFT, "e2"))
    assert "does not wait for shoe.right.v1; it waits for shoe.left.v1, shoe.right.v2" in aside(world)[0].reason


def test_a_deadline_that_a_release_does_not_know_is_set_aside_when_it_fires() -> None:
    """Rule 31: it is recorded, so the scheduler gets a success, and the release that knows it runs it."""
    world = World(release())
    Replica(world).deliver(came(Opened(box="a"), "e1"))
    due = fired(world.scheduler.deadlines[0].encoded)
    renamed = release(deadline="ring_the_bell")
    for _ in range(2):
        assert Replica(world, service=renamed).deliver(due) == [True]
    [bad] = aside(world)
    assert "the deadline 'remind' (desk.remind.due.v1) has fired" in bad.reason
    assert "it has ring_the_bell" in bad.reason
    assert 'deadline(..., name="remind")' in bad.reason
    assert come_home(world, renamed) == []
    come_home(world, release())
    assert [text for text in world.broker.texts() if Reminded.wire_type in text]
    assert (aside(world), noted(world)) == ([], {})


def test_a_deadline_whose_entity_has_another_key_is_set_aside() -> None:
    """Rule 31: it would reach an entity without a name."""
    world = World(release())
    Replica(world).deliver(came(Opened(box="a"), "e1"))
    Replica(world, service=with_another_key()).deliver(fired(world.scheduler.deadlines[0].encoded))
    assert "names its box by box, and this release by 'crate'" in aside(world)[0].reason


def test_an_answer_that_a_release_does_not_know_is_set_aside() -> None:
    """Rule 31: the outside has acted, and that must not be forgotten."""
    world = World(desk, bank)
    Replica(world).deliver(came(Asked(box="a"), "e1"))
    [outcome] = [one for one in world.store.outcomes() if one.heard]
    elsewhere = World(release())
    Replica(elsewhere).deliver(fired(outcome.heard))
    [bad] = aside(elsewhere)
    assert "the outside has answered prize.was-paid.v1" in bad.reason
    assert come_home(elsewhere, desk) == [outcome.event_id]
    assert state_of(elsewhere, Box, "a") == Box(box="a", coins=1000, paid=True)


@pytest.mark.parametrize(("name", "intent"), [("pay_out", Pay), ("pay", PayEuros)])
def test_an_intent_that_a_release_cannot_carry_out_is_kept_with_its_key(name: str, intent: type[Intent]) -> None:
    """Rule 31: a release that knows the effect calls with the key that was committed."""
    world = World(desk, bank)
    world.provider.down = 1
    Replica(world).deliver(came(Asked(box="a"), "e1"))
    [wish] = [wish for one in world.store.outcomes() for wish in one.intents]
    for _ in range(2):
        assert Replica(world, service=with_effect(name, intent)).deliver(came(Asked(box="a"), "e1")) == [True]
    [bad] = aside(world)
    assert bad.needs == "effect pay"
    kept = Replica(world).answering.read_later(raw(orjson.loads(bad.event)))
    assert kept == wish
    assert INTENT_TYPE in bad.event
    assert Replica(world).deliver(came(Asked(box="a"), "e1")) == [True]
    assert len(set(world.provider.calls)) == 1
    assert state_of(world, Box, "a") == Box(box="a", coins=1000, paid=True)


def test_an_unknown_version_comes_home_by_itself() -> None:
    """Rule 31: only the release that knows the version replays it, also a whole batch."""
    world = World(desk)
    batch = [raw(wire(Put(box="a", amount=1), f"e{number}", type="coins.put.v2")) for number in range(50)]
    assert all(Replica(world).deliver(*batch))
    assert len(world.store.transactions) == 1
    assert come_home(world, desk) == []
    assert len(come_home(world, newer)) == 50
    assert state_of(world, Box, "a") == Box(box="a", coins=50)
    assert (aside(world), noted(world)) == ([], {})
    assert come_home(world, newer) == []


def test_what_fails_in_the_release_that_knows_it_is_left_to_a_person() -> None:
    """It is then poison, and no longer *not yet*."""
    world = World(desk)
    Replica(world).deliver(raw(wire(Put(box="a", amount=1), "bad", type="box.broken.v2")))
    come_home(world, newer)
    [bad] = aside(world)
    assert (bad.needs, noted(world)) == ("", {})
    assert "ValueError" in bad.reason


def test_what_is_still_unknown_when_it_is_tried_is_tried_once_by_each_process() -> None:
    """Only an attempt can tell; a letter for each attempt would bury the other letters."""
    service = with_few_coins()
    world, seen = World(desk), NotYet(service, 100)
    Replica(world).deliver(came(Put(box="a", amount=5), "e1"))
    Replica(world, service=service).deliver(came(Put(box="a", amount=1), "e2"))
    letters = len(set(world.broker.ids()))
    assert [come_home(world, service, seen) for _ in range(3)] == [["e2"], [], []]
    assert len(set(world.broker.ids())) == letters
    assert come_home(world, desk) == ["e2"]
    assert state_of(world, Box, "a") == Box(box="a", coins=6)


def test_two_replicas_that_look_at_once_run_it_once() -> None:
    """The ETag of the record decides, as for every replay."""
    world = World(desk)
    Replica(world).deliver(raw(wire(Put(box="a", amount=1), "e1", type="coins.put.v2")))
    replicas = [Replica(world, service=newer) for _ in range(2)]
    waiting = [one.drive(NotYet(newer, 100).waiting(["e1"])) for one in replicas]
    for replica, found in zip(replicas, waiting, strict=True):
        replica.deliver(*found.values())
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


def test_a_process_that_dies_before_it_strikes_out_leaves_it_to_the_next() -> None:
    """The next process finds nothing left to run."""
    world = World(desk)
    Replica(world).deliver(raw(wire(Put(box="a", amount=1), "e1", type="coins.put.v2")))
    replica = Replica(world, service=newer)
    replica.deliver(*replica.drive(NotYet(newer, 100).waiting(["e1"])).values())
    assert noted(world) == {"e1": "type coins.put.v2"}
    assert come_home(world, newer) == ["e1"]
    assert (state_of(world, Box, "a"), noted(world)) == (Box(box="a", coins=1), {})


def test_more_than_a_page_holds_go_on_the_next_and_the_last_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are bounded; the letter of an event without room says that a person must replay it."""
    monkeypatch.setattr(not_yet, "LONGEST_PAGE", 2)
    world = World(desk)
    events = [raw(wire(Put(box="a", amount=1), f"e{number}", type="coins.put.v2")) for number in range(65)]
    Replica(world).deliver(*events)
    assert len(noted(world)) == 64
    assert [bad.reason.endswith("replay it by hand.") for bad in aside(world)].count(True) == 1


def test_replicas_begin_on_pages_of_their_own() -> None:
    """They need not wait for each other to quarantine something."""
    assert len({page_keys("desk", f"replica-{number}")[0] for number in range(20)}) > 10


def test_a_store_that_does_not_answer_is_asked_again_later() -> None:
    """No event counts as tried, and no note is removed."""
    world = World(desk)
    Replica(world).deliver(raw(wire(Put(box="a", amount=1), "e1", type="coins.put.v2")))
    seen, replica = NotYet(newer, 100), Replica(world, service=newer)
    world.store.confirms.extend([True, True])
    assert replica.drive(seen.waiting(["e1"])) == {}
    replica.drive(seen.tried(["e1"]))
    assert come_home(world, newer, seen) == ["e1"]
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


def test_an_intent_that_came_home_is_recorded_as_done() -> None:
    """Its record needs no person any more, and expires as others do."""
    world = World(desk, bank)
    world.provider.down = 1
    Replica(world).deliver(came(Asked(box="a"), "e1"))
    Replica(world, service=with_effect("pay_out", Pay)).deliver(came(Asked(box="a"), "e1"))
    [(key, outcome)] = [(key, one) for key, one in world.store.apart().items() if one.quarantined]
    Replica(world).drive(NotYet(desk, 100).resolve(outcome.event_id, NOON))
    assert (aside(world), world.store.ttls[key]) == ([], 100)
