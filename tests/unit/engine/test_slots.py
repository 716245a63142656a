"""Commands that a replica accepts within a few seconds share one reminder that covers all of them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final

import orjson
import pytest

from choreography.engine.accepted import Recorded, Verdict
from choreography.engine.accepting import Accepting
from choreography.engine.commanding import Accepted
from choreography.engine.identity import Key, accepted_key
from choreography.engine.slots import Listed, row_key
from tests.unit.engine.replica import NOON, Replica, World, die_after
from tests.unit.engine.store import CommitFault, failed, hidden
from tests.unit.engine.test_accepting import accept as accept_elsewhere
from tests.unit.engine.test_accepting import command
from tests.unit.engine.toy import desk

LASTS: Final = timedelta(seconds=3)


class Desk:
    """One replica that accepts commands."""

    def __init__(self, world: World) -> None:
        self.world, self.accepting = world, Accepting(desk, world.limits, slot_lasts=LASTS)

    def accept(self, *commands: Accepted, after: timedelta = timedelta(0)) -> list[Verdict]:
        """Record commands."""
        verdicts: list[Verdict] = Replica(self.world).drive(self.accepting.accept(commands, NOON + after))
        return verdicts

    def listed(self, slot: str) -> Listed:
        """Read the rows of a slot."""
        found: Listed = Replica(self.world).drive(self.accepting.listed(slot))
        return found


def reminded_of(world: World) -> set[str]:
    """Return the events of all commands that the scheduler's reminders cover."""
    told = {event for events in world.scheduler.reminders for event in events}
    for slot in world.scheduler.slots:
        listed = Desk(world).listed(slot)
        assert listed.complete
        told.update(event for row in listed.rows.values() for event in orjson.loads(row)["commands"])
    return told


def recorded(world: World) -> set[str]:
    """Return the events of all commands that are recorded."""
    rows = (row.value for key, row in world.store.rows.items() if key.split(".")[1] == "accepted")
    return {Recorded.decode(text).outgoing.encoded for text in rows}


def test_the_commands_of_a_few_seconds_share_one_reminder() -> None:
    """One job for each command would cost the scheduler more than the order costs."""
    world = World(desk)
    one, commands = Desk(world), [command(f"k{number}") for number in range(70)]
    for number, asked in enumerate(commands):
        assert one.accept(asked, after=number * LASTS / 71) == [Verdict(True, asked.outgoing)]
    assert world.scheduler.reminders == [(commands[0].outgoing.encoded,)]
    assert reminded_of(world) == {asked.outgoing.encoded for asked in commands}
    assert {len(writes) for writes in world.store.transactions} == {2, 3}


def test_a_slot_ends_so_that_the_reminder_of_its_first_command_is_not_put_off() -> None:
    """A command that comes later begins another."""
    world = World(desk)
    one = Desk(world)
    one.accept(command("k1"))
    one.accept(command("k2"), after=LASTS)
    assert len(set(world.scheduler.slots)) == 2


def test_no_slot_holds_more_than_one_reminder_can_look_for() -> None:
    """In a burst a slot is full before it ends."""
    world = World(desk)
    one = Desk(world)
    for start in range(0, 1200, 200):
        one.accept(*(command(f"k{start + number}") for number in range(200)))
    assert [len(events) for events in world.scheduler.reminders] == [200, 200]


@pytest.mark.parametrize("fault", ["written, reply lost", "not written", "conflict"])
def test_a_slot_ends_with_the_first_transaction_that_the_store_did_not_confirm(fault: CommitFault) -> None:
    """A row behind a missing one would never be read."""
    world = World(desk)
    one, commands = Desk(world), [command(f"k{number}") for number in range(4)]
    one.accept(commands[0])
    one.accept(commands[1])
    world.store.commits.append(fault)
    assert one.accept(commands[2]) == [Verdict(True, commands[2].outgoing)]
    one.accept(commands[3])
    assert len(world.scheduler.slots) == 2
    assert reminded_of(world) == {asked.outgoing.encoded for asked in commands}


@pytest.mark.parametrize("seed", range(60))
def test_whatever_fails_every_recorded_command_is_reminded_of(seed: int) -> None:
    """Rule 30: this holds for random sequences of groups, retries, faults, deaths and restarts."""
    chance, world = random.Random(seed), World(desk)
    one, asked = Desk(world), list[Accepted]()
    now = timedelta(0)
    for number in range(40):
        now += timedelta(seconds=chance.choice([0, 0, 0.4, 2]))
        group = [command(f"k{number}-{place}") for place in range(chance.randint(1, 3))]
        group += chance.sample(asked, min(len(asked), chance.randint(0, 1)))
        asked += group
        faults: list[CommitFault] = ["none", "none", "none", "written, reply lost", "not written", "conflict"]
        world.store.commits.append(chance.choice(faults))
        world.scheduler.refusals = int(chance.random() < 0.1)
        if chance.random() < 0.15:
            steps = Replica(world)._drive(one.accepting.accept(group, NOON + now))
            die_after(steps, chance.randint(0, 3))
            one = Desk(world)
        else:
            one.accept(*group, after=now)
        assert recorded(world) <= reminded_of(world)


def test_a_retry_is_listed_as_well() -> None:
    """A slow store may have written the record only after the first request's reminder came."""
    world, asked = World(desk), command()
    accept_elsewhere(world, asked)
    world.scheduler.reminders.clear()
    one = Desk(world)
    one.accept(command("k2"))
    assert one.accept(asked) == [Verdict(True, asked.outgoing)]
    assert asked.outgoing.encoded in reminded_of(world)


def test_what_is_not_accepted_is_not_listed() -> None:
    """Another body under the same key is refused, so it is no command."""
    world, asked, other = World(desk), command(), command(owner="bob")
    one = Desk(world)
    one.accept(asked)
    assert one.accept(other) == [Verdict(accepted=False)]
    assert reminded_of(world) == {asked.outgoing.encoded}


def test_a_read_that_fails_records_nothing_and_ends_no_slot() -> None:
    """The answer is 503, and the client retries with its key."""
    world = World(desk)
    one = Desk(world)
    one.accept(command())
    world.store.reads.append(failed)
    assert one.accept(command("k2")) == [Verdict(None)]
    assert str(accepted_key("desk", command("k2").envelope.id)) not in world.store.rows
    one.accept(command("k3"))
    assert len(world.scheduler.slots) == 1


def test_that_a_slot_has_no_more_rows_is_believed_only_of_a_single_get() -> None:
    """Rule 5: a cancelled query shows nothing."""
    world, commands = World(desk), [command(f"k{number}") for number in range(5)]
    one = Desk(world)
    for asked in commands:
        one.accept(asked)
    world.store.reads.append(hidden)
    assert reminded_of(world) == {asked.outgoing.encoded for asked in commands}
    world.store.confirms.extend([False, True])
    world.store.reads.append(hidden)
    assert not one.listed(world.scheduler.slots[0]).complete


def test_the_rows_of_a_slot_are_deleted_when_nobody_needs_them() -> None:
    """The store must not grow with the number of commands."""
    world = World(desk)
    one = Desk(world)
    for number in range(3):
        one.accept(command(f"k{number}"))
    (slot,) = world.scheduler.slots
    assert str(row_key("desk", slot, 1)) in world.store.rows
    assert Replica(world).drive(one.accepting.forget(one.listed(slot))) is True
    assert not [key for key in world.store.rows if "accepted-slot" in key]
    world.store.commits.append("not written")
    assert Replica(world).drive(one.accepting.forget(Listed({Key("desk", "accepted-slot", "a"): "b"}))) is False


def test_two_replicas_that_accept_the_same_commands_do_not_share_a_slot_for_long() -> None:
    """A client's retry may reach another replica; reminders cover the commands that each of them adds."""
    world, asked = World(desk), command()
    ann, bob = Desk(world), Desk(world)
    for one in (ann, bob):
        one.accept(asked)
    for number, one in enumerate([ann, bob, bob, ann]):
        one.accept(command(f"k{number}"))
    assert recorded(world) <= reminded_of(world)
