"""The record of accepted commands: durable before the 202, deleted with the first outcome of the command's event.

What a reaction says is protected by the delivery that caused it: until that is acknowledged, it comes again. A command
has no delivery before it. If the broker loses its event before anybody has heard it, only this record can say it again.
Three ask for it: a retry of the command, whoever looks for what it is about, and a reminder that the scheduler holds.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson

from choreography.contracts import Event
from choreography.engine.accepted import Asked, CheckedCommands, Recorded, Struck, Verdict, keys_of
from choreography.engine.commanding import Accepted
from choreography.engine.delivery import Delivery
from choreography.engine.envelope import Envelope, as_text
from choreography.engine.identity import Key, accepted_about_key, accepted_key, derived_id
from choreography.engine.operations import (
    Commit,
    Committed,
    Confirm,
    Limits,
    Operation,
    OperationResult,
    Pause,
    Read,
    Refused,
    Remind,
    Stored,
    Unknown,
    Values,
    Write,
)
from choreography.engine.plan import Planner
from choreography.engine.records import Outgoing
from choreography.engine.slots import Listed, ReminderSlots, read_rows
from choreography.errors import InvalidEventError
from choreography.service import Service

_ATTEMPTS: Final = 3
"""The second reads what an unknown answer left, the third writes once more. Then the client is asked to come again."""
_MOST_ABOUT: Final = 64
"""Commands about one thing that are remembered for it until it exists; those beyond are found by their reminder."""


class Accepting:
    """Keeps and finds the accepted commands of one service."""

    def __init__(self, service: Service, limits: Limits, *, slot_lasts: timedelta = timedelta(0)) -> None:
        self._service, self._limits = service, limits
        self._slots = ReminderSlots(service.name, slot_lasts)
        self._planner = Planner(service, limits)
        self._looked_for = bool(service.views) or any(command.of for command in service.commands)

    def accept(
        self, group: Sequence[Accepted], now: datetime
    ) -> Generator[Operation | Remind, OperationResult, list[Verdict]]:
        """Record commands in one transaction, each first-write, and say what becomes of each.

        The reminder comes first: there is no record of which nobody would be reminded.
        """
        row = self._slots.row(now, len(group))
        if row is not None:
            verdicts = yield from self._added(group, row, now)
            if verdicts is not None:
                return verdicts
            self._slots.end()
            yield Pause(1)
        return (yield from self._begun(group, now))

    def _added(
        self, group: Sequence[Accepted], row: Key, now: datetime
    ) -> Generator[Operation, OperationResult, list[Verdict] | None]:
        """Record commands in the slot of which somebody is reminded already; None if the store did not say yes."""
        left = {index: self._asked(one.envelope, Recorded.of(one), now, one.event) for index, one in enumerate(group)}
        read = yield Read(keys_of(left.values()))
        if not isinstance(read, Values):
            raise TypeError(f"The driver answered a read with {read!r}.")
        verdicts: dict[int, Verdict] = {}
        writes = yield from self._judge(left, read, verdicts)
        verdicts |= _published(left)
        # A retry as well: the reminder of the first request may have come before its record.
        events = [verdict.publish.encoded for verdict in verdicts.values() if verdict.publish]
        if events:
            text = orjson.dumps({"commands": events}).decode()
            listing = Write(row, text, None, self._limits.kept_seconds)
            if not isinstance((yield Commit(_sorted(*writes, listing))), Committed):
                return None
            self._slots.wrote(len(events))
        return [verdicts[index] for index in range(len(group))]

    def _begun(
        self, group: Sequence[Accepted], now: datetime
    ) -> Generator[Operation | Remind, OperationResult, list[Verdict]]:
        """Record commands with a reminder of their own, which begins a slot."""
        left = {index: self._asked(one.envelope, Recorded.of(one), now, one.event) for index, one in enumerate(group)}
        events = tuple(one.outgoing.encoded for one in group)
        slot = derived_id(as_text(now), *events)
        answer = yield Remind(slot, events, keys_of(left.values()))
        if not isinstance(answer, tuple):
            raise TypeError(f"The driver answered a reminder with {answer!r}.")
        reminded, read = answer
        if reminded:
            self._slots.begin(slot, now, len(group))
        verdicts: dict[int, Verdict] = {}
        for attempt in range(1, _ATTEMPTS + 1):
            if attempt > 1:
                yield Pause(attempt - 1)
                read = yield Read(keys_of(left.values()))
            if not isinstance(read, Values):
                raise TypeError(f"The driver answered a read with {read!r}.")
            writes = yield from self._judge(left, read, verdicts)
            if not left or not reminded:
                break
            answer = yield Commit(writes)
            if isinstance(answer, Committed):
                verdicts |= _published(left)
                break
            if len(left) > 1 and (attempt > 1 or isinstance(answer, Refused)):
                # Perhaps for the sake of one of them: strangers came in the same group by chance.
                for index in left:
                    verdicts[index] = (yield from self.accept([group[index]], now))[0]
                break
        return [verdicts.get(index, Verdict(None)) for index in range(len(group))]

    def check(
        self, reminded: Sequence[Delivery], now: datetime
    ) -> Generator[Operation, OperationResult, CheckedCommands]:
        """Find out what became of commands that were accepted a while ago, and delete what is kept of settled ones.

        An outcome is believed where it is found. That there is no record either is believed only of a single get.
        """
        checked, struck = CheckedCommands(), Struck()
        asked: list[Asked] = []
        if self._limits.snapshot_reads:
            reminded = yield from self._left(reminded)
        for delivery in reminded:
            try:
                asked.append(self._reminded(delivery, now))
            except (InvalidEventError, TypeError) as error:
                checked.unknown += 1
                checked.problems[delivery.identity] = error
        read = yield Read(keys_of(asked))
        if not isinstance(read, Values):
            raise TypeError(f"The driver answered a read with {read!r}.")
        for one in asked:
            try:
                yield from self._check(one, read, checked, struck)
            except Exception as error:  # noqa: BLE001 - what is wrong with one record is the business of one command
                checked.unknown += 1
                checked.problems[one.event_id] = error
                checked.spoilt[one.event_id] = one.recorded.outgoing.encoded
        writes = struck.writes(self._limits.kept_seconds)
        if writes and not isinstance((yield Commit(writes)), Committed):
            checked.unknown += 1
        return checked

    def _left(self, reminded: Sequence[Delivery]) -> Generator[Operation, OperationResult, list[Delivery]]:
        """Return the commands of which anything is kept, and those that cannot be read.

        The first outcome deletes the record, and a record that was never written was never answered for. So where
        absence can be believed there is nothing to find out about the others, as nearly all of them are.
        """
        keys: dict[str, tuple[Key, Key]] = {one.raw: self._keys(one.envelope) for one in reminded if one.envelope}
        read = yield Read(tuple(sorted({key for pair in keys.values() for key in pair})))
        if not isinstance(read, Values):
            raise TypeError(f"The driver answered a read with {read!r}.")
        kept = read.found.keys() | read.failed
        return [one for one in reminded if one.raw not in keys or not kept.isdisjoint(keys[one.raw])]

    def _keys(self, envelope: Envelope) -> tuple[Key, Key]:
        name = self._service.name
        return accepted_key(name, envelope.id), accepted_about_key(name, envelope.subject)

    def listed(self, slot: str) -> Generator[Operation, OperationResult, Listed]:
        """Return the commands of a slot that its job does not hold itself."""
        return (yield from read_rows(self._service.name, slot))

    def forget(self, listed: Listed) -> Generator[Operation, OperationResult, bool]:
        """Delete the rows of a slot whose commands are all settled. Tell whether that was done."""
        deletions = _sorted(*(Write.deletion(key) for key in listed.rows))
        return not deletions or isinstance((yield Commit(deletions)), Committed)

    def about(self, subject: str) -> Generator[Operation, OperationResult, list[Recorded] | Unknown | None]:
        """Return what is recorded of commands about something that is not there yet; None if none was accepted."""
        stored = yield Confirm(accepted_about_key(self._service.name, subject))
        if not isinstance(stored, Stored):
            return stored if isinstance(stored, Unknown) else None
        keys = (accepted_key(self._service.name, one) for one in orjson.loads(stored.value))
        read = yield Read(tuple(sorted(keys)))
        return [Recorded.decode(one.value) for one in read.found.values()] if isinstance(read, Values) else []

    def _reminded(self, delivery: Delivery, now: datetime) -> Asked:
        if delivery.envelope is None:
            raise InvalidEventError(delivery.problem)
        recorded = Recorded(delivery.envelope.digest, Outgoing("", delivery.envelope.subject, delivery.raw))
        return self._asked(delivery.envelope, recorded, now)

    def _asked(self, envelope: Envelope, recorded: Recorded, now: datetime, said: Event | None = None) -> Asked:
        name, event_id, subject = self._service.name, envelope.id, envelope.subject
        plan = self._planner.plan(Delivery(envelope, "", event_id), now, 0, said)
        if plan is None:
            raise TypeError(f"{name} does not react to {envelope.type}, which it accepts.")
        return Asked(event_id, recorded, plan, *self._keys(envelope), subject)

    def _judge(
        self, left: dict[int, Asked], read: Values, verdicts: dict[int, Verdict]
    ) -> Generator[Operation, OperationResult, tuple[Write, ...]]:
        """Decide what can be decided, and return the writes of those that are left: nobody knows of them yet."""
        writes: dict[Key, Write] = {}
        digests: dict[str, str] = {}
        for index, one in list(left.items()):
            try:
                verdict = yield from self._verdict(one, read)
                if verdict is None and digests.setdefault(one.event_id, one.recorded.digest) != one.recorded.digest:
                    verdict = Verdict(accepted=False)
                if verdict is None:
                    self._write(one, read, writes)
                    continue
            except Exception as error:  # noqa: BLE001 - what is wrong with one record is the business of one command
                verdict = Verdict(None, problem=error)
            verdicts[index] = verdict
            del left[index]
        return _sorted(*writes.values())

    def _verdict(self, one: Asked, read: Values) -> Generator[Operation, OperationResult, Verdict | None]:
        earlier = yield from one.earlier(read)
        if not earlier.readable:
            return Verdict(None)
        if earlier.digest is not None:
            return Verdict(earlier.digest == one.recorded.digest)
        kept = read.found.get(one.record_key)
        if kept is None:
            return None
        recorded = Recorded.decode(kept.value)
        same = recorded.digest == one.recorded.digest
        return Verdict(same, recorded.outgoing if same else None)

    def _write(self, one: Asked, read: Values, writes: dict[Key, Write]) -> None:
        ttl = self._limits.kept_seconds
        about: list[str] = []
        if self._looked_for and not one.exists(read):
            kept = read.found.get(one.about_key)
            earlier = writes.get(one.about_key) or kept
            about = orjson.loads(earlier.value or "") if earlier else []
            if one.event_id not in about and len(about) < _MOST_ABOUT:
                text = orjson.dumps([*about, one.event_id]).decode()
                writes[one.about_key] = Write(one.about_key, text, kept.etag if kept else None, ttl)
        writes.setdefault(one.record_key, Write(one.record_key, one.recorded.encode(), None, ttl))

    def _check(
        self, one: Asked, read: Values, checked: CheckedCommands, struck: Struck
    ) -> Generator[Operation, OperationResult, None]:
        earlier = yield from one.earlier(read)
        if not earlier.readable:
            checked.unknown += 1
            return
        if earlier.digest is not None:
            # A quarantined command was accepted, so GET must not answer 404 for its subject.
            struck.strike(one, read, about=not earlier.quarantined)
            return
        kept: OperationResult = read.found.get(one.record_key) or (yield Confirm(one.record_key))
        if isinstance(kept, Stored):
            recorded = Recorded.decode(kept.value)
            # Another digest is another body, to which the key belongs; that of the reminder was refused.
            if recorded.digest == one.recorded.digest:
                checked.lost.append(recorded.outgoing)
        elif kept is not None:
            checked.unknown += 1


def _sorted(*writes: Write) -> tuple[Write, ...]:
    return tuple(sorted(writes, key=lambda write: write.key))


def _published(left: Mapping[int, Asked]) -> dict[int, Verdict]:
    """Accept all: of those with one id the first was recorded."""
    first: dict[str, Outgoing] = {}
    return {index: Verdict(True, first.setdefault(one.event_id, one.recorded.outgoing)) for index, one in left.items()}
