"""An accepted command is durable before its 202, and whoever finds it without an outcome can say its event again."""

from __future__ import annotations

import itertools
from datetime import timedelta

import orjson
import pytest

from choreography.engine.accepted import CheckedCommands, Recorded, Verdict
from choreography.engine.accepting import Accepting
from choreography.engine.commanding import Accepted, Commanding
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.identity import Key, accepted_about_key, accepted_key
from choreography.engine.operations import Commit, Limits, Read, Remind, Stored, Unknown, Write
from choreography.engine.records import MOST_FOLDED
from tests.unit.engine.events import came, state_of
from tests.unit.engine.replica import NOON, Replica, World, die_after, interleaved
from tests.unit.engine.store import CommitFault, failed, hidden
from tests.unit.engine.toy import Box, DeskEvent, Emptied, NewBox, Opened, Put, desk


class Renamed(DeskEvent, type="box.renamed.v1"):
    """What this release accepts no more."""


CLEARLY_LATER = NOON + timedelta(seconds=30)


def command(key: str = "k1", owner: str = "ann", after: timedelta = timedelta(0)) -> Accepted:
    """Return the event that one request becomes, at a replica that has seen none before."""
    commanding = Commanding(desk)
    event_id = commanding.event_id("caller", "POST /boxes", key)
    event = commanding.event(desk.commands[0], event_id, {"new": NewBox(owner=owner)})
    return commanding.accept(event, event_id, NOON + after, "")


def about(box: str, event_id: str, owner: str = "") -> Accepted:
    """Return a command about a box whose id the caller has chosen."""
    return Commanding(desk).accept(Opened(box=box, owner=owner), event_id, NOON, "")


def accept(world: World, *commands: Accepted) -> list[Verdict]:
    """Record commands at a replica of its own."""
    verdicts: list[Verdict] = Replica(world).drive(Accepting(desk, world.limits).accept(commands, NOON))
    return verdicts


def reminded(*events: str) -> list[Delivery]:
    """Return events as they are read from a reminder."""
    return [read_delivery(event.encode()) for event in events]


def check(world: World, *commands: Accepted) -> CheckedCommands:
    """Look at commands as the scheduler reminds of them."""
    events = reminded(*(one.outgoing.encoded for one in commands))
    checked: CheckedCommands = Replica(world).drive(Accepting(desk, world.limits).check(events, CLEARLY_LATER))
    return checked


def look_for(world: World, box: str) -> list[Recorded] | Unknown | None:
    """Look for what commands are about."""
    found: list[Recorded] | Unknown | None = Replica(world).drive(Accepting(desk, world.limits).about(box))
    return found


def settle(world: World, *commands: Accepted) -> None:
    """Let their events arrive."""
    Replica(world).deliver(*(read_delivery(one.outgoing.encoded.encode()) for one in commands))


def kept(world: World) -> set[str]:
    """Return the kinds of what is kept of accepted commands."""
    return {key.split(".")[1] for key in world.store.rows if "accepted" in key}


def test_a_command_is_recorded_with_its_event_before_it_is_published() -> None:
    """Rule 30: with a time to live, should everything else fail."""
    world, one = World(desk), command()
    assert accept(world, one) == [Verdict(True, one.outgoing)]
    stored = world.store.rows[str(accepted_key("desk", one.envelope.id))]
    assert Recorded.decode(stored.value) == Recorded(one.envelope.digest, one.outgoing)
    assert set(world.store.ttls.values()) == {world.limits.kept_seconds}
    assert world.broker.published == []


def test_commands_that_wait_at_the_same_moment_share_one_transaction() -> None:
    """What a commit costs does not depend on how many it serves."""
    world, many = World(desk), [command(f"k{number}") for number in range(20)]
    assert accept(world, *many) == [Verdict(True, one.outgoing) for one in many]
    assert len(world.store.transactions) == 1
    assert world.scheduler.reminders == [tuple(one.outgoing.encoded for one in many)]


def test_there_is_no_record_of_which_nobody_is_reminded() -> None:
    """Rule 30: a process that dies between its commit and its publish may never be asked again."""
    world = World(desk)
    accepting = Replica(world)._drive(Accepting(desk, Limits()).accept([command()], NOON))
    assert [type(operation) for operation in accepting] == [Remind, Commit]
    world.scheduler.refusals = 1
    assert accept(world, command("k2")) == [Verdict(None)]
    assert str(accepted_key("desk", command("k2").envelope.id)) not in world.store.rows


@pytest.mark.parametrize("operations", range(3))
def test_whatever_was_recorded_when_the_process_died_is_found_by_its_reminder(operations: int) -> None:
    """Rule 30: a kill between commit and publish, or before."""
    world, one = World(desk), command()
    replica = Replica(world)
    die_after(replica._drive(Accepting(desk, Limits()).accept([one], NOON)), operations)
    recorded = str(accepted_key("desk", one.envelope.id)) in world.store.rows
    if recorded:
        assert world.scheduler.reminders
    assert check(world, one).lost == ([one.outgoing] if recorded else [])


def test_the_first_outcome_deletes_what_is_kept_in_its_own_transaction() -> None:
    """From then on the outcome speaks for the command, and the entity for what it is about."""
    world, one = World(desk), command()
    accept(world, one)
    settle(world, one)
    assert kept(world) == set()
    gone = {str(write.key) for write in world.store.transactions[-1] if write.value is None}
    assert gone == {
        str(accepted_key("desk", one.envelope.id)),
        str(accepted_about_key("desk", one.envelope.subject)),
    }
    assert check(world, one) == CheckedCommands()


def test_what_is_no_command_costs_no_deletion() -> None:
    """Nor does what a reaction of this service says, nor what another service says under a command's type."""
    world = World(desk)
    Replica(world).deliver(
        came(Put(box="a", amount=1), "e1"),
        came(Opened(box="b"), "e2", source="desk"),
        came(Opened(box="c"), "e3", source="street", causationid=None),
    )
    assert not [write for writes in world.store.tried for write in writes if write.value is None]


def test_a_retry_says_the_recorded_event_again_at_every_replica_and_after_every_restart() -> None:
    """The time of the first request, too: nobody counts a deadline from two moments."""
    world, first, again = World(desk), command(), command(after=timedelta(minutes=1))
    accept(world, first)
    assert again.outgoing != first.outgoing
    assert accept(world, again) == [Verdict(True, first.outgoing)]
    assert len(world.store.transactions) == 1


def test_a_retry_of_a_settled_command_is_accepted_and_not_published() -> None:
    """Rule 17: its outcome is found, and nothing is recorded anew."""
    world, one = World(desk), command()
    accept(world, one)
    settle(world, one)
    assert accept(world, command(after=timedelta(hours=1))) == [Verdict(accepted=True)]
    assert kept(world) == set()


@pytest.mark.parametrize("settled", [False, True])
def test_another_body_under_the_same_key_is_refused_before_and_after_the_first_is_settled(settled: bool) -> None:
    """Rule 17: at every replica and after every restart."""
    world, first, other = World(desk), command(), command(owner="bob")
    accept(world, first)
    if settled:
        settle(world, first)
    assert accept(world, other, command("k2")) == [Verdict(accepted=False), Verdict(True, command("k2").outgoing)]
    # The reminder of the refused body must not say it.
    assert check(world, other).lost == []


def test_of_two_bodies_at_two_replicas_at_one_moment_one_is_refused() -> None:
    """Rule 17: the record is first-write, so only one of two transactions can be. Also about what exists already."""
    bodies = [(command(), command(owner="bob")), (about("a", "e1"), about("a", "e1", "bob"))]
    for pair, turns in itertools.product(bodies, ([True, False] * 9, [True, True, False, False] * 9, [False] * 9)):
        world = World(desk)
        Replica(world).deliver(came(Put(box="a", amount=1), "e0"))
        ann, bob = (Replica(world)._drive(Accepting(desk, Limits()).accept([one], NOON)) for one in pair)
        verdicts = interleaved(ann, bob, iter(turns))
        assert sorted(verdict.accepted for (verdict,) in verdicts) == [False, True]


@pytest.mark.parametrize("fault", ["written, reply lost", "not written", "conflict"])
def test_after_an_unknown_answer_only_what_is_read_is_believed(fault: CommitFault) -> None:
    """Rule 7: if it was written it is found, and if not it is written again."""
    world, one = World(desk), command()
    world.store.commits.append(fault)
    assert accept(world, one, command("k2")) == [Verdict(True, one.outgoing), Verdict(True, command("k2").outgoing)]
    assert str(accepted_key("desk", one.envelope.id)) in world.store.rows


def test_a_store_that_never_says_yes_makes_no_command_accepted() -> None:
    """503, and the client comes again with its key."""
    world = World(desk)
    world.store.commits.extend(["not written"] * 9)
    assert accept(world, command()) == [Verdict(None)]
    assert accept(World(desk), command()) == [Verdict(True, command().outgoing)]


@pytest.mark.parametrize("kind", ["box", "outcome", "accepted", "accepted-about"])
def test_a_store_that_does_not_answer_is_not_taken_for_never(kind: str) -> None:
    """Rule 5: whichever of the keys could not be read."""
    world = World(desk)
    world.store.reads.append(lambda key: "failed" if key.split(".")[1] == kind else "shown")
    assert accept(world, command()) == [Verdict(None)]
    assert world.store.tried == []


def test_absence_in_a_bulk_get_writes_over_nothing() -> None:
    """Rule 5: the record was there, so the transaction is refused, and the next attempt reads it."""
    world, one = World(desk), command()
    accept(world, one)
    world.store.reads.append(hidden)
    assert accept(world, command(after=timedelta(minutes=1))) == [Verdict(True, one.outgoing)]


def test_a_command_whose_outcome_was_hidden_leaves_nothing_behind_for_ever() -> None:
    """It is recorded anew, its repeat changes nothing, and its reminder finds the outcome."""
    world, one = World(desk), command()
    settle(world, one)
    world.store.reads.append(hidden)
    assert accept(world, one) == [Verdict(True, one.outgoing)]
    settle(world, one)
    assert kept(world) == {"accepted", "accepted-about"}
    assert check(world, one) == CheckedCommands()
    assert kept(world) == set()


def test_a_command_whose_outcome_had_no_room_in_its_record_is_found_apart() -> None:
    """Although a bulk get did not show it, as the record says that some of its outcomes are elsewhere."""
    world, one = World(desk), command()
    puts = (came(Put(box=one.envelope.subject, amount=1), f"e{number}") for number in range(MOST_FOLDED))
    Replica(world).deliver(*puts, read_delivery(one.outgoing.encoded.encode()))
    assert len(world.store.apart()) == 1
    world.store.reads.append(lambda key: "hidden" if ".outcome." in key else "shown")
    assert accept(world, one) == [Verdict(accepted=True)]
    world.store.reads.append(lambda key: "hidden" if ".outcome." in key else "shown")
    world.store.confirms.append(True)
    assert accept(world, one) == [Verdict(None)]


def test_a_record_that_cannot_be_read_refuses_no_other_command() -> None:
    """Strangers came in the same group by chance."""
    world, broken, sound = World(desk), command(), command("k2")
    world.store.rows[str(Key("desk", "box", broken.envelope.subject))] = Stored("not a record", "1")
    verdict, other = accept(world, broken, sound)
    assert isinstance(verdict.problem, orjson.JSONDecodeError)
    assert other == Verdict(True, sound.outgoing)


def test_a_command_that_the_store_refuses_refuses_no_other() -> None:
    """Rule 8: a 4xx splits the group at once."""
    world, bad, good = World(desk), command(), command("k2")
    key = str(accepted_key("desk", bad.envelope.id))
    world.store.refuses = lambda writes: any(str(write.key) == key for write in writes)
    assert accept(world, bad, good) == [Verdict(None), Verdict(True, good.outgoing)]


def test_the_same_request_twice_at_one_moment_is_recorded_once_and_said_as_recorded() -> None:
    """Its second copy has another time, and nobody may hear of that."""
    world, first, second = World(desk), command(), command(after=timedelta(seconds=1))
    assert accept(world, first, second) == [Verdict(True, first.outgoing)] * 2


def test_a_command_without_an_outcome_is_lost_until_it_has_one() -> None:
    """As often as it takes, and always the recorded event."""
    world, lost, settled = World(desk), command(), command("k2")
    accept(world, lost, settled)
    settle(world, settled)
    assert [check(world, lost, settled).lost for _ in range(2)] == [[lost.outgoing]] * 2
    settle(world, lost)
    assert check(world, lost, settled) == CheckedCommands()


def test_an_absent_record_is_believed_only_of_a_single_get() -> None:
    """Rule 5: a cancelled query shows nothing, and the reminder would be the last that knew of the command."""
    world, one = World(desk), command()
    accept(world, one)
    world.store.reads.append(hidden)
    assert check(world, one).lost == [one.outgoing]
    world.store.reads.append(hidden)
    world.store.confirms.append(True)
    assert check(world, one) == CheckedCommands(unknown=1)


def test_a_failed_read_ends_no_reminder() -> None:
    """Nobody can tell, so it is asked again."""
    world = World(desk)
    accept(world, command())
    world.store.reads.append(failed)
    assert check(world, command()).left == 1


def test_a_record_that_cannot_be_read_holds_up_no_other_command() -> None:
    """Whoever reads the log is to hear of it."""
    world, broken, lost = World(desk), command(), command("k2")
    accept(world, broken, lost)
    world.store.rows[str(Key("desk", "box", broken.envelope.subject))] = Stored("not a record", "1")
    checked = check(world, broken, lost)
    assert checked.lost == [lost.outgoing]
    assert list(checked.problems) == [broken.envelope.id]
    assert checked.left == 2


def test_what_a_command_is_about_is_found_until_it_exists() -> None:
    """Rule 30: whoever asks for it, at whichever replica, is never told that there is no such thing."""
    world, one = World(desk), command()
    assert look_for(world, one.envelope.subject) is None
    accept(world, one)
    assert look_for(world, one.envelope.subject) == [Recorded.of(one)]
    settle(world, one)
    assert look_for(world, one.envelope.subject) is None
    assert state_of(world, Box, one.envelope.subject) is not None


def test_whoever_cannot_read_what_a_command_is_about_cannot_tell() -> None:
    """Rule 5: that is no absence."""
    world = World(desk)
    world.store.confirms.append(True)
    assert isinstance(look_for(world, "a"), Unknown)


def test_several_commands_about_one_thing_are_all_found() -> None:
    """In one group and one after another."""
    world, commands = World(desk), [about("a", f"e{number}") for number in range(3)]
    accept(world, *commands[:2])
    accept(world, commands[2])
    found = look_for(world, "a")
    assert isinstance(found, list)
    assert sorted(found) == sorted(Recorded.of(one) for one in commands)


def test_what_exists_is_found_by_itself() -> None:
    """A thing that many commands are about at once is no place where they meet."""
    world = World(desk)
    Replica(world).deliver(came(Put(box="a", amount=1), "e0"))
    accept(world, about("a", "e1"))
    assert kept(world) == {"accepted"}


def test_what_begins_by_another_event_is_cleared_up_by_the_reminder() -> None:
    """The outcome of the command finds the entity there, and leaves alone what may name others."""
    world, first, second = World(desk), about("a", "e1"), about("a", "e2")
    accept(world, first, second)
    Replica(world).deliver(came(Put(box="a", amount=1), "e0"))
    settle(world, first)
    assert check(world, first) == CheckedCommands()
    assert look_for(world, "a") == [Recorded.of(second)]
    settle(world, second)
    assert check(world, first, second) == CheckedCommands()
    assert kept(world) == set()


def test_what_is_cleared_up_never_takes_a_command_with_it_that_came_meanwhile() -> None:
    """Another command is added between the read and the deletion: the reminder asks again."""
    world, first, second = World(desk), about("a", "e1"), about("a", "e2")
    accept(world, first)
    Replica(world).deliver(came(Put(box="a", amount=1), "e0"))
    settle(world, first)
    Replica(world).deliver(came(Emptied(box="a"), "e3"))
    checking = Replica(world)._drive(Accepting(desk, Limits()).check(reminded(first.outgoing.encoded), CLEARLY_LATER))
    while not isinstance(next(checking), Commit):
        pass
    accept(world, second)
    with pytest.raises(StopIteration) as stop:
        next(checking)
    assert stop.value.value.left == 1
    assert check(world, first) == CheckedCommands()
    assert look_for(world, "a") == [Recorded.of(second)]


def test_a_quarantined_command_is_settled_and_still_found_by_what_it_is_about() -> None:
    """A person decides about it; until then nobody may be told that it never was."""
    world, one = World(desk), command()
    accept(world, one)
    Replica(world, now=NOON + timedelta(days=40)).deliver(read_delivery(one.outgoing.encoded.encode()))
    assert [outcome.quarantined is not None for outcome in world.store.outcomes()] == [True]
    assert check(world, one) == CheckedCommands()
    assert kept(world) == {"accepted-about"}
    assert look_for(world, one.envelope.subject) == []


def test_a_twin_that_says_something_else_deletes_no_record() -> None:
    """Rule 1: it has the id of the command's event and is quarantined, and the command is still to be settled."""
    world, one = World(desk), command()
    accept(world, one)
    settle(world, one)
    again = Write(accepted_key("desk", one.envelope.id), Recorded.of(one).encode(), None)
    world.store.commit([again])
    settle(world, command(owner="bob"))
    assert kept(world) == {"accepted"}


@pytest.mark.parametrize("event", ["no event", Renamed(box="a")])
def test_a_reminder_of_another_release_is_not_taken_as_done_and_holds_up_no_other(event: str | Renamed) -> None:
    """What cannot be read today may be readable tomorrow, and so may a type that only another release accepts."""
    world, lost = World(desk), command()
    accept(world, lost)
    foreign = event if isinstance(event, str) else Commanding(desk).accept(event, "e1", NOON, "").outgoing.encoded
    events = reminded(foreign, lost.outgoing.encoded)
    checked: CheckedCommands = Replica(world).drive(Accepting(desk, Limits()).check(events, NOON))
    assert checked.left == 2
    assert len(checked.problems) == 1
    assert checked.lost == [lost.outgoing]


def test_a_reminder_reads_no_more_of_a_command_of_which_nothing_is_kept() -> None:
    """Where one read is one snapshot, its record is gone with its first outcome and with nothing else."""
    world, lost, settled = World(desk, limits=Limits(snapshot_reads=True)), command(), command("k2")
    accept(world, lost, settled)
    settle(world, settled)
    checking = Accepting(desk, world.limits).check(reminded(settled.outgoing.encoded), CLEARLY_LATER)
    asked = next(checking)
    assert isinstance(asked, Read)
    assert {key.kind for key in asked.keys} == {"accepted", "accepted-about"}
    assert check(world, lost, settled).lost == [lost.outgoing]
    settle(world, lost)
    assert check(world, lost, settled) == CheckedCommands()
    world.store.reads += [failed, failed]
    assert check(world, lost).left == 1


def test_a_snapshot_ends_no_reminder_of_a_command_that_another_release_has_recorded() -> None:
    """Only of what nothing is kept there is nothing to find out."""
    world = World(desk, limits=Limits(snapshot_reads=True))
    foreign = Commanding(desk).accept(Renamed(box="a"), "e1", NOON, "")
    assert check(world, foreign) == CheckedCommands()
    world.store.commit([Write(accepted_key("desk", "e1"), Recorded.of(foreign).encode(), None)])
    assert check(world, foreign).left == 1


def test_a_snapshot_ends_no_reminder_before_what_a_command_is_about_is_cleared_up() -> None:
    """The entity was begun by another event, so the outcome of the command left the note about it alone."""
    world, one = World(desk, limits=Limits(snapshot_reads=True)), about("a", "e1")
    accept(world, one)
    Replica(world).deliver(came(Put(box="a", amount=1), "e0"))
    settle(world, one)
    assert kept(world) == {"accepted-about"}
    assert check(world, one) == CheckedCommands()
    assert kept(world) == set()


@pytest.mark.parametrize("fault", ["written, reply lost", "not written", "conflict"])
def test_what_is_kept_goes_with_the_outcome_or_not_at_all(fault: CommitFault) -> None:
    """Rule 7: it is one transaction."""
    world, one = World(desk), command()
    accept(world, one)
    world.store.commits.append(fault)
    settle(world, one)
    assert kept(world) == set()
    assert len(world.store.outcomes()) == 1
