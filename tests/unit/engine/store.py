"""A model of a state store: ETags, first-write, atomic transactions, and the ways in which a real one misleads."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import orjson

from choreography.engine.beside import Beside
from choreography.engine.identity import Key
from choreography.engine.operations import (
    ANY_ETAG,
    CommitResult,
    Committed,
    Conflict,
    Refused,
    Stored,
    Unknown,
    Values,
    Write,
)
from choreography.engine.records import EntityRecord, Outcome, decode_outcome

CommitFault: TypeAlias = Literal["none", "written, reply lost", "not written", "conflict"]
ReadFault: TypeAlias = Callable[[str], Literal["shown", "hidden", "failed"]]


def shown(_key: str) -> Literal["shown"]:
    """Show every key."""
    return "shown"


def hidden(_key: str) -> Literal["hidden"]:
    """Answer as PostgreSQL does when the query behind a bulk get is cancelled: every key missing, and status 200."""
    return "hidden"


def failed(_key: str) -> Literal["failed"]:
    """Answer with an error for every key."""
    return "failed"


@dataclass(slots=True)
class Store:
    """Rows under ETags that never repeat, and faults that are taken one by one.

    Attributes:
        commits: what happens to the next commits; nothing special once it is empty.
        reads: what happens to the next bulk gets.
        confirms: whether the next single gets fail.
        refuses: which transactions are answered with 4xx.
        breaks: which transactions are answered with 500.
        beside: the writes of each transaction besides records.
        answers_beside: the result of those writes, if it is not a success.
    """

    rows: dict[str, Stored] = field(default_factory=dict)
    ttls: dict[str, int | None] = field(default_factory=dict)
    commits: deque[CommitFault] = field(default_factory=deque)
    reads: deque[ReadFault] = field(default_factory=deque)
    confirms: deque[bool] = field(default_factory=deque)
    refuses: Callable[[Sequence[Write]], bool] = lambda _: False
    breaks: Callable[[Sequence[Write]], bool] = lambda _: False
    transactions: list[tuple[Write, ...]] = field(default_factory=list)
    tried: list[tuple[Write, ...]] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    beside: list[Beside] = field(default_factory=list)
    answers_beside: Callable[[Beside], CommitResult | None] = lambda _: None
    _etags: Iterator[int] = field(default_factory=itertools.count)

    def read(self, keys: Sequence[Key]) -> Values:
        """Answer one bulk get."""
        fault = self.reads.popleft() if self.reads else shown
        fates = {key: fault(str(key)) for key in keys}
        found = {key: self.rows[str(key)] for key in keys if str(key) in self.rows and fates[key] == "shown"}
        return Values(found, frozenset(key for key in keys if fates[key] == "failed"))

    def confirm(self, key: Key | str) -> Stored | Unknown | None:
        """Answer one single get."""
        self.confirmed.append(str(key))
        if self.confirms and self.confirms.popleft():
            return Unknown("no answer")
        return self.rows.get(str(key))

    def commit(self, writes: Sequence[Write], beside: Beside | None = None) -> CommitResult:
        """Answer one transaction."""
        self.tried.append(tuple(writes))
        keys = [write.key for write in writes]
        assert keys == sorted(set(keys)), "the keys of a transaction are sorted, each there once"
        if (answer := self._set(writes, beside)) is not None:
            return answer
        fault = self.commits.popleft() if self.commits else "none"
        if fault == "conflict":
            return Conflict("possible etag mismatch")
        if fault == "not written":
            return Unknown("timed out")
        if any(not self._allows(write) for write in writes):
            return Conflict("possible etag mismatch")
        self._apply(writes)
        return Committed() if fault == "none" else Unknown("timed out")

    def _set(self, writes: Sequence[Write], beside: Beside | None) -> CommitResult | None:
        """Return the answer that a test has set for this transaction, if any."""
        if self.refuses(writes):
            return Refused("400: the store does not like it")
        if self.breaks(writes):
            return Unknown("500: the store broke on it", answered=True)
        if beside is None:
            return None
        self.beside.append(beside)
        return self.answers_beside(beside)

    def _allows(self, write: Write) -> bool:
        row = self.rows.get(str(write.key))
        if write.etag == ANY_ETAG:
            return True
        return row is None if write.etag is None else row is not None and row.etag == write.etag

    def _apply(self, writes: Sequence[Write]) -> None:
        self.transactions.append(tuple(writes))
        for write in writes:
            if write.value is None:
                self.rows.pop(str(write.key), None)
                self.ttls.pop(str(write.key), None)
            else:
                self.rows[str(write.key)] = Stored(write.value, f"etag-{next(self._etags)}")
                self.ttls[str(write.key)] = write.ttl_seconds

    def expire(self) -> None:
        """Let everything with a time to live expire."""
        for key in [key for key, ttl in self.ttls.items() if ttl is not None]:
            del self.rows[key], self.ttls[key]

    def entities(self) -> dict[str, EntityRecord]:
        """Every entity's record, by key."""
        return {key: EntityRecord.decode(row.value) for key, row in self.rows.items() if _kind(key) not in _NO_ENTITY}

    def apart(self) -> dict[str, Outcome]:
        """Return every outcome that has a row of its own, by key."""
        return {key: decode_outcome(row.value) for key, row in self.rows.items() if _kind(key) == "outcome"}

    def outcomes(self) -> list[Outcome]:
        """Every outcome, wherever it is kept."""
        folded = [Outcome.from_json(raw) for record in self.entities().values() for raw in record.folded.values()]
        return folded + list(self.apart().values())

    def outcome(self, event_id: str) -> Outcome | None:
        """Return the outcome of one event; there must not be two."""
        found = [one for one in self.outcomes() if one.event_id == event_id]
        assert len(found) < 2, "one event has one outcome"
        return found[0] if found else None

    def content(self) -> dict[str, object]:
        """Return all records except marks, whatever their order of arrival."""
        return {key: orjson.loads(row.value) for key, row in self.rows.items() if _kind(key) not in _MARKS}


_MARKS = ("replica", "not-yet")
_NO_ENTITY = ("outcome", "accepted", "accepted-about", "accepted-slot", "intent", *_MARKS)


def _kind(key: str) -> str:
    return key.split(".")[1]
