"""An accepted command is durable before its 202; if it has no outcome, its event is published again."""

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
    """Return the event of one request at a replica without memory."""
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
    """Check commands as the scheduler's reminder does."""
    events = reminded(*(one.outgoing.encoded for one in commands))
    checked: CheckedCommands = Replica(world).drive(Accepting(desk, world.limits).check(events, CLEARLY_LATER))
    return checked


def look_for(world: World, box: str) -> list[Recorded] | Unknown | None:
    """Look up the entities that commands are about."""
    found: list[Recorded] | Unknown | None = Replica(world).drive(Accepting(desk, world.limits).about(box))
    return found


def settle(world: World, *commands: Accepted) -> None:
    """Let their events arrive."""
    Replica(world).deliver(*(read_delivery(one.outgoing.encoded.encode()) for one in commands))


def kept(world: World) -> set[str]:
    """Return the kinds of records that exist for accepted commands."""
    return {key.split(".")[1] for key in world.store.rows if "accepted" in key}


def test_a_command_is_recorded_with_its_event_before_it_is_published() -> None:
    """Rule 30: the record has a time to live, in case everything else fails."""
    world, one = World(desk), command()
    assert accept(world, one) == [Verdict(True, one.outgoing)]
    stored = world.store.rows[str(accepted_key("desk", one.envelope.id))]
    assert Recorded.decode(stored.value) == Recorded(one.envelope.digest, one.outgoing)
    assert set(world.store.ttls.values()) == {world.limits.kept_seconds}
    assert world.broker.published == []


def test_commands_that_wait_at_the_same_moment_share_one_transaction() -> None:
    """The cost of a commit does not depend on the number of commands in it."""
    world, many = World(desk), [command(f"k{number}") for number in range(20)]
    assert accept(world, *many) == [Verdict(True, one.outgoing) for one in many]
    assert len(world.store.transactions) == 1
    assert world.scheduler.reminders == [tuple(one.outgoing.encoded for one in many)]


def test_there_is_no_record_of_which_nobody_is_reminded() -> None:
    """Rule 30: after a death between commit and publish, perhaps no client asks again."""
    world = World(desk)
    accepting = Replica(world)._drive(Accepting(desk, Limits()).accept([command()], NOON))
    assert [type(operation) for operation in accepting] == [Remind, Commit]
    world.scheduler.refusals = 1
    assert accept(world, command("k2")) == [Verdict(None)]
    assert str(accepted_key("desk", command("k2").envelope.id)) not in world.store.rows


@pytest.mark.parametrize("operations", range(3))
def test_whatever_was_recorded_when_the_process_died_is_found_by_its_reminder(operations: int) -> None:
    """Rule 30: the process is killed between commit and publish, or before the commit."""
    world, one = World(desk), command()
    replica = Replica(world)
    die_after(replica._drive(Accepting(desk, Limits()).accept([one], NOON)), operations)
    recorded = str(accepted_key("desk", one.envelope.id)) in world.store.rows
    if recorded:
        assert world.scheduler.reminders
    assert check(world, one).lost == ([one.outgoing] if recorded else [])


def test_the_first_outcome_deletes_what_is_kept_in_its_own_transaction() -> None:
    """From then on the outcome stands for the command, and the entity for its subject."""
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
    """Events of reactions, and other services' events under a command's type, cost none either."""
    world = World(desk)
    Replica(world).deliver(
        came(Put(box="a", amount=1), "e1"),
        came(Opened(box="b"), "e2", source="desk"),
        came(Opened(box="c"), "e3", source="street", causationid=None),
    )
    assert not [write for writes in world.store.tried for write in writes if write.value is None]


def test_a_retry_says_the_recorded_event_again_at_every_replica_and_after_every_restart() -> None:
    """The retry also has the time of the first request, so a deadline counts from one moment."""
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
    # The reminder of the refused body must not publish it.
    assert check(world, other).lost == []


def test_of_two_bodies_at_two_replicas_at_one_moment_one_is_refused() -> None:
    """Rule 17: the record is first-write, so one of two transactions fails, also for an existing entity."""
    bodies = [(command(), command(owner="bob")), (about("a", "e1"), about("a", "e1", "bob"))]
    for pair, turns in itertools.product(bodies, ([True, False] * 9, [True, True, False, False] * 9, [False] * 9)):
        world = World(desk)
        Replica(world).deliver(came(Put(box="a", amount=1), "e0"))
        ann, bob = (Replica(world)._drive(Accepting(desk, Limits()).accept([one], NOON)) for one in pair)
        verdicts = interleaved(ann, bob, iter(turns))
        assert sorted(verdict.accepted for (verdict,) in verdicts) == [False, True]


@pytest.mark.parametrize("fault", ["written, reply lost", "not written", "conflict"])
def test_after_an_unknown_answer_only_what_is_read_is_believed(fault: CommitFault) -> None:
    """Rule 7: if the record was written, the read finds it; if not, it is written again."""
    world, one = World(desk), command()
    world.store.commits.append(fault)
    assert accept(world, one, command("k2")) == [Verdict(True, one.outgoing), Verdict(True, command("k2").outgoing)]
    assert str(accepted_key("desk", one.envelope.id)) in world.store.rows


def test_a_store_that_never_says_yes_makes_no_command_accepted() -> None:
    """The answer is 503, and the client retries with its key."""
    world = World(desk)
    world.store.commits.extend(["not written"] * 9)
    assert accept(world, command()) == [Verdict(None)]
    assert accept(World(desk), command()) == [Verdict(True, command().outgoing)]


@pytest.mark.parametrize("kind", ["box", "outcome", "accepted", "accepted-about"])
def test_a_store_that_does_not_answer_is_not_taken_for_never(kind: str) -> None:
    """Rule 5: this holds for every key that could not be read."""
    world = World(desk)
    world.store.reads.append(lambda key: "failed" if key.split(".")[1] == kind else "shown")
    assert accept(world, command()) == [Verdict(None)]
    assert world.store.tried == []


def test_absence_in_a_bulk_get_writes_over_nothing() -> None:
    """Rule 5: the record exists, so the transaction is refused, and the next attempt reads the record."""
    world, one = World(desk), command()
    accept(world, one)
    world.store.reads.append(hidden)
    assert accept(world, command(after=timedelta(minutes=1))) == [Verdict(True, one.outgoing)]


def test_a_command_whose_outcome_was_hidden_leaves_nothing_behind_for_ever() -> None:
    """It is recorded again, its repeat changes nothing, and its reminder finds the outcome."""
    world, one = World(desk), command()
    settle(world, one)
    world.store.reads.append(hidden)
    assert accept(world, one) == [Verdict(True, one.outgoing)]
    settle(world, one)
    assert kept(world) == {"accepted", "accepted-about"}
    assert check(world, one) == CheckedCommands()
    assert kept(world) == set()


def test_a_command_whose_outcome_had_no_room_in_its_record_is_found_apart() -> None:
    """The record says that some outcomes have rows of their own, so a single get looks there too."""
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
    """Unrelated commands share the group only by chance."""
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
    """Its second copy has another time, so it must never be published."""
    world, first, second = World(desk), command(), command(after=timedelta(seconds=1))
    assert accept(world, first, second) == [Verdict(True, first.outgoing)] * 2


def test_a_command_without_an_outcome_is_lost_until_it_has_one() -> None:
    """Each reminder publishes the recorded event again, until there is an outcome."""
    world, lost, settled = World(desk), command(), command("k2")
    accept(world, lost, settled)
    settle(world, settled)
    assert [check(world, lost, settled).lost for _ in range(2)] == [[lost.outgoing]] * 2
    settle(world, lost)
    assert check(world, lost, settled) == CheckedCommands()


def test_an_absent_record_is_believed_only_of_a_single_get() -> None:
    """Rule 5: a cancelled query shows nothing, and ending the reminder would forget the command."""
    world, one = World(desk), command()
    accept(world, one)
    world.store.reads.append(hidden)
    assert check(world, one).lost == [one.outgoing]
    world.store.reads.append(hidden)
    world.store.confirms.append(True)
    assert check(world, one) == CheckedCommands(unknown=1)


def test_a_failed_read_ends_no_reminder() -> None:
    """The result is unknown, so the read is repeated."""
    world = World(desk)
    accept(world, command())
    world.store.reads.append(failed)
    assert check(world, command()).left == 1


def test_a_record_that_cannot_be_read_holds_up_no_other_command() -> None:
    """The log reports the record."""
    world, broken, lost = World(desk), command(), command("k2")
    accept(world, broken, lost)
    world.store.rows[str(Key("desk", "box", broken.envelope.subject))] = Stored("not a record", "1")
    checked = check(world, broken, lost)
    assert checked.lost == [lost.outgoing]
    assert list(checked.problems) == [broken.envelope.id]
    assert checked.left == 2


def test_what_a_command_is_about_is_found_until_it_exists() -> None:
    """Rule 30: no replica answers that it does not exist."""
    world, one = World(desk), command()
    assert look_for(world, one.envelope.subject) is None
    accept(world, one)
    assert look_for(world, one.envelope.subject) == [Recorded.of(one)]
    settle(world, one)
    assert look_for(world, one.envelope.subject) is None
    assert state_of(world, Box, one.envelope.subject) is not None


def test_whoever_cannot_read_what_a_command_is_about_cannot_tell() -> None:
    """Rule 5: a failed read does not prove absence."""
    world = World(desk)
    world.store.confirms.append(True)
    assert isinstance(look_for(world, "a"), Unknown)


def test_several_commands_about_one_thing_are_all_found() -> None:
    """They come in one group, and one after another."""
    world, commands = World(desk), [about("a", f"e{number}") for number in range(3)]
    accept(world, *commands[:2])
    accept(world, commands[2])
    found = look_for(world, "a")
    assert isinstance(found, list)
    assert sorted(found) == sorted(Recorded.of(one) for one in commands)


def test_what_exists_is_found_by_itself() -> None:
    """Many commands about one existing entity share no record."""
    world = World(desk)
    Replica(world).deliver(came(Put(box="a", amount=1), "e0"))
    accept(world, about("a", "e1"))
    assert kept(world) == {"accepted"}


def test_what_begins_by_another_event_is_cleared_up_by_the_reminder() -> None:
    """The outcome of the command finds the entity, and leaves notes that may name other commands."""
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
    """Another command is added between read and deletion, so the reminder comes again."""
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
    """A person decides about it; until then GET must not answer 404."""
    world, one = World(desk), command()
    accept(world, one)
    Replica(world, now=NOON + timedelta(days=40)).deliver(read_delivery(one.outgoing.encoded.encode()))
    assert [outcome.quarantined is not None for outcome in world.store.outcomes()] == [True]
    assert check(world, one) == CheckedCommands()
    assert kept(world) == {"accepted-about"}
    assert look_for(world, one.envelope.subject) == []


def test_a_twin_that_says_something_else_deletes_no_record() -> None:
    """Rule 1: a false event with the command's id is quarantined, and the command stays unsettled."""
    world, one = World(desk), command()
    accept(world, one)
    settle(world, one)
    again = Write(accepted_key("desk", one.envelope.id), Recorded.of(one).encode(), None)
    world.store.commit([again])
    settle(world, command(owner="bob"))
    assert kept(world) == {"accepted"}


@pytest.mark.parametrize("event", ["no event", Renamed(box="a")])
def test_a_reminder_of_another_release_is_not_taken_as_done_and_holds_up_no_other(event: str | Renamed) -> None:
    """A later release may be able to read it, or accept a type that this one does not."""
    world, lost = World(desk), command()
    accept(world, lost)
    foreign = event if isinstance(event, str) else Commanding(desk).accept(event, "e1", NOON, "").outgoing.encoded
    events = reminded(foreign, lost.outgoing.encoded)
    checked: CheckedCommands = Replica(world).drive(Accepting(desk, Limits()).check(events, NOON))
    assert checked.left == 2
    assert len(checked.problems) == 1
    assert checked.lost == [lost.outgoing]


def test_a_reminder_reads_no_more_of_a_command_of_which_nothing_is_kept() -> None:
    """On snapshots, a missing record means that its first outcome deleted it."""
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
    """A command with any record left must still be checked."""
    world = World(desk, limits=Limits(snapshot_reads=True))
    foreign = Commanding(desk).accept(Renamed(box="a"), "e1", NOON, "")
    assert check(world, foreign) == CheckedCommands()
    world.store.commit([Write(accepted_key("desk", "e1"), Recorded.of(foreign).encode(), None)])
    assert check(world, foreign).left == 1


def test_a_snapshot_ends_no_reminder_before_what_a_command_is_about_is_cleared_up() -> None:
    """Another event began the entity, so the command's outcome did not delete the note about it."""
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
