"""The stored record of an accepted command, its keys, and the other places where its event may be known."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import orjson

from choreography.engine.commanding import Accepted
from choreography.engine.identity import Key
from choreography.engine.operations import Confirm, Operation, OperationResult, Stored, Values, Write
from choreography.engine.plan import Plan
from choreography.engine.records import EntityRecord, Outcome, Outgoing, decode_outcome


class Recorded(NamedTuple):
    """One accepted command as stored: the digest of its event, and the event as it was first published."""

    digest: str
    outgoing: Outgoing

    @classmethod
    def of(cls, accepted: Accepted) -> Self:
        """Return the record to store for a command."""
        return cls(accepted.envelope.digest, accepted.outgoing)

    def encode(self) -> str:
        """Return the text to store."""
        return orjson.dumps([self.digest, *self.outgoing]).decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read a stored text."""
        digest, topic, key, encoded = orjson.loads(text)
        return cls(digest, Outgoing(topic, key, encoded))


class Verdict(NamedTuple):
    """The decision about a command.

    Attributes:
        accepted: True; False if its key belongs to another body; None if that cannot be determined.
        publish: its event, if the event has no outcome yet; the command is accepted only once the event is published.
        problem: the error in a record, if that is why ``accepted`` is None.
    """

    accepted: bool | None
    publish: Outgoing | None = None
    problem: Exception | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """The facts that the store has about a command's event.

    Attributes:
        digest: the digest with which the event was settled, or None if it has no outcome.
        readable: whether the store could be read.
        quarantined: whether the event was quarantined.
    """

    digest: str | None
    readable: bool = True
    quarantined: bool = False


@dataclass(slots=True)
class CheckedCommands:
    """The result of checking commands some time after they were accepted.

    Attributes:
        lost: the events of the commands that have no outcome.
        unknown: the number of commands whose outcome could not be determined.
        problems: why an outcome could not be determined, by event.
        spoilt: the texts of those unknown events whose records are spoilt, by event. No other release can read these
            either.
    """

    lost: list[Outgoing] = field(default_factory=list)
    unknown: int = 0
    problems: dict[str, Exception] = field(default_factory=dict)
    spoilt: dict[str, str] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Return how many commands must be checked again."""
        return len(self.lost) + self.unknown


@dataclass(frozen=True, slots=True)
class Asked:
    """One command with the keys under which records about it may be stored."""

    event_id: str
    recorded: Recorded
    plan: Plan
    record_key: Key
    about_key: Key
    subject: str

    @property
    def outcome_keys(self) -> tuple[Key, ...]:
        """The keys where its outcome may be stored: also apart, as another body may have named another entity."""
        return (self.plan.outcome_key, *self.plan.entity_keys)

    @property
    def keys(self) -> tuple[Key, ...]:
        """All keys whose records may say something about it."""
        return (*self.outcome_keys, self.record_key, self.about_key)

    def exists(self, read: Values) -> bool:
        """Tell whether the entity that the command is about exists, so that a GET for it no longer needs the record."""
        pairs = zip(self.plan.entity_keys, self.plan.named, strict=True)
        keys = [key for key, (_, logical_id) in pairs if logical_id == self.subject and key in read.found]
        return any(EntityRecord.decode(read.found[key].value).state is not None for key in keys)

    def earlier(self, read: Values) -> Generator[Operation, OperationResult, Earlier]:
        """Find out whether the command's event has an outcome, in the two places where an outcome may be stored."""
        if not read.failed.isdisjoint(self.keys):
            return Earlier(None, readable=False)
        records = [EntityRecord.decode(read.found[key].value) for key in self.plan.entity_keys if key in read.found]
        for record in records:
            folded = record.outcome_of(self.plan.event_key)
            if folded is not None:
                return _of(folded)
        apart: OperationResult = read.found.get(self.plan.outcome_key)
        if apart is None and self.plan.folds and any(record.apart for record in records):
            apart = yield Confirm(self.plan.outcome_key)
        if isinstance(apart, Stored):
            return _of(decode_outcome(apart.value))
        return Earlier(None, readable=apart is None)


class Struck:
    """The deletion of the records of settled commands that their outcomes did not delete."""

    def __init__(self) -> None:
        self._deletions: dict[Key, Write] = {}
        self._about: dict[Key, tuple[list[str], str]] = {}

    def strike(self, one: Asked, read: Values, *, about: bool) -> None:
        """Delete the records that were read for one command."""
        if one.record_key in read.found:
            self._deletions[one.record_key] = Write.deletion(one.record_key)
        kept = read.found.get(one.about_key)
        if about and kept:
            ids, _ = self._about.get(one.about_key) or (orjson.loads(kept.value), kept.etag)
            self._about[one.about_key] = ([event_id for event_id in ids if event_id != one.event_id], kept.etag)

    def writes(self, ttl: int) -> tuple[Write, ...]:
        """Return the writes. A list is deleted under its ETag: another command may have been added meanwhile."""
        about = (
            Write(key, orjson.dumps(ids).decode(), etag, ttl) if ids else Write.deletion(key, etag)
            for key, (ids, etag) in self._about.items()
        )
        return tuple(sorted((*self._deletions.values(), *about), key=lambda write: write.key))


def keys_of(asked: Iterable[Asked]) -> tuple[Key, ...]:
    """Return the keys of all records that may say something about some commands."""
    return tuple(sorted({key for one in asked for key in one.keys}))


def _of(outcome: Outcome) -> Earlier:
    return Earlier(outcome.digest, quarantined=outcome.quarantined is not None)
