"""The record of accepted commands: durable before the 202, deleted with the first outcome of the command's event.

The events of a reaction are protected by the delivery that caused them: it is redelivered until it is acknowledged. No
delivery precedes a command. If the broker loses its event before a service consumes it, only this record can restore
it. Three things read the record: a retry of the command, a GET for its subject, and a reminder that the scheduler
holds.
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
"""Attempts: the second reads the state after an unknown answer, the third writes again. Then the client must retry."""
_MOST_ABOUT: Final = 64
"""How many commands are listed under the subject until it exists; further commands are found by their reminder."""


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
        """Record commands in one transaction, each first-write, and return the verdict on each.

        The reminder is made first, so that no record exists without a reminder.
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
        """Record commands in a slot that has a reminder already; return None if the store did not confirm the write."""
        left = {index: self._asked(one.envelope, Recorded.of(one), now, one.event) for index, one in enumerate(group)}
        read = yield Read(keys_of(left.values()))
        if not isinstance(read, Values):
            raise TypeError(f"The driver answered a read with {read!r}.")
        verdicts: dict[int, Verdict] = {}
        writes = yield from self._judge(left, read, verdicts)
        verdicts |= _published(left)
        # Retries are listed as well: the reminder of the first request may have come before its record was written.
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
        """Begin a slot: record commands together with a reminder of their own."""
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
                # Perhaps only one of them caused the failure: the commands of a group came together by chance.
                for index in left:
                    verdicts[index] = (yield from self.accept([group[index]], now))[0]
                break
        return [verdicts.get(index, Verdict(None)) for index in range(len(group))]

    def check(
        self, reminded: Sequence[Delivery], now: datetime
    ) -> Generator[Operation, OperationResult, CheckedCommands]:
        """Check commands that were accepted some time ago, and delete the records of settled ones.

        An outcome counts wherever it is found. The absence of a record counts only if a single get reports it.
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
            except Exception as error:  # noqa: BLE001 - an error in one record concerns only its command
                checked.unknown += 1
                checked.problems[one.event_id] = error
                checked.spoilt[one.event_id] = one.recorded.outgoing.encoded
        writes = struck.writes(self._limits.kept_seconds)
        if writes and not isinstance((yield Commit(writes)), Committed):
            checked.unknown += 1
        return checked

    def _left(self, reminded: Sequence[Delivery]) -> Generator[Operation, OperationResult, list[Delivery]]:
        """Return the commands that still have a record, and those whose records cannot be read.

        The first outcome deletes the record, and a command whose record was never written was never answered with 202.
        So where absence can be believed, commands without a record (nearly all) need no further check.
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
        """Return the commands of a slot that are listed in its rows and not in its job."""
        return (yield from read_rows(self._service.name, slot))

    def forget(self, listed: Listed) -> Generator[Operation, OperationResult, bool]:
        """Delete the rows of a slot whose commands are all settled. Return whether the deletion succeeded."""
        deletions = _sorted(*(Write.deletion(key) for key in listed.rows))
        return not deletions or isinstance((yield Commit(deletions)), Committed)

    def about(self, subject: str) -> Generator[Operation, OperationResult, list[Recorded] | Unknown | None]:
        """Return the recorded commands about a subject that does not exist yet; None if none was accepted."""
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
        """Judge the commands that can be judged; return the writes for the others, which are not stored yet."""
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
            except Exception as error:  # noqa: BLE001 - an error in one record concerns only its command
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
            # A record with another digest belongs to another body, which owns the key; this reminder's command was
            # refused.
            if recorded.digest == one.recorded.digest:
                checked.lost.append(recorded.outgoing)
        elif kept is not None:
            checked.unknown += 1


def _sorted(*writes: Write) -> tuple[Write, ...]:
    return tuple(sorted(writes, key=lambda write: write.key))


def _published(left: Mapping[int, Asked]) -> dict[int, Verdict]:
    """Accept all. Of commands with the same id only the first was recorded."""
    first: dict[str, Outgoing] = {}
    return {index: Verdict(True, first.setdefault(one.event_id, one.recorded.outgoing)) for index, one in left.items()}
