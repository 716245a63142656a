"""Events that an application publishes in transactions of its own: from the note in the database to the outcome.

The note is written with the application's own rows, so it exists if and only if they do. A replica that finds the note
publishes the event, and only then deletes the note, in the transaction that writes the event's outcome. If the replica
dies in between, the next replica finds the note and publishes the same event under the same id.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from choreography.engine.accepted import Recorded
from choreography.engine.identity import POSTED, Key, outcome_key
from choreography.engine.operations import (
    Commit,
    Committed,
    Limits,
    Operation,
    OperationResult,
    Publish,
    Read,
    Together,
    Values,
    Write,
)
from choreography.engine.records import Outcome, encode_outcome
from choreography.service import Service


class Note(NamedTuple):
    """One note as claimed from the database: the id of the event, the version of the note, and its text."""

    event_id: str
    etag: str
    text: str


class Posting:
    """Publishes the events whose notes the application of a service left in the database."""

    def __init__(self, service: Service, limits: Limits) -> None:
        self._service, self._limits = service, limits

    def post(self, notes: Sequence[Note], now: datetime) -> Generator[Operation, OperationResult, int]:
        """Publish claimed notes and delete the notes whose events the broker took; return how many those were."""
        name = self._service.name
        read = yield Read(tuple(sorted(outcome_key(name, note.event_id) for note in notes)))
        if not isinstance(read, Values) or read.failed:
            return 0
        recorded = [(note, Recorded.decode(note.text)) for note in notes]
        left = [one for one in recorded if outcome_key(name, one[0].event_id) not in read.found]
        kept: set[str] = set()
        if left:
            # Events of one topic wait for the same moment, so they share a call.
            answers = yield Together(tuple(Publish((one.outgoing,)) for _, one in left))
            if not isinstance(answers, (list, tuple)):
                raise TypeError(f"The driver answered a publish with {answers!r}.")
            kept = {note.event_id for (note, _), refused in zip(left, answers, strict=True) if refused}
        writes = [
            Write.deletion(Key(name, POSTED, note.event_id), note.etag)
            for note, _ in recorded
            if note.event_id not in kept
        ]
        outcomes = [self._outcome(note, one, now) for note, one in left if note.event_id not in kept]
        writes += [write for write in outcomes if write is not None]
        if not writes:
            return 0
        # If another replica claimed some of the notes meanwhile, it deletes them, and the others are claimed again.
        committed = yield Commit(tuple(sorted(writes, key=lambda write: write.key)))
        return len(notes) - len(kept) if isinstance(committed, Committed) else 0

    def _outcome(self, note: Note, recorded: Recorded, now: datetime) -> Write | None:
        """Return the outcome of an event, for nudges; None if this service consumes the event and so writes it."""
        event = orjson.loads(recorded.outgoing.encoded)
        if event["type"] in self._service.subjects:
            return None
        outcome = Outcome(
            note.event_id,
            recorded.digest,
            now,
            own=recorded.outgoing,
            type=event["type"],
            flow_id=event.get("flowid", ""),
        )
        key = outcome_key(self._service.name, note.event_id)
        return Write(key, encode_outcome(outcome), None, self._limits.kept_seconds)
