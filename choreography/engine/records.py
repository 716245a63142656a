"""The records in the store: one record per entity, one outcome per event.

The outcome of an event whose reactions name exactly one entity is folded into that entity's record: one write instead
of two, and a missing outcome is as certain as the record itself. All other outcomes are kept apart, first-write. Every
record is stored as one JSON text, so that a sidecar cannot re-encode the numbers in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

import orjson

from choreography.earlier_names import earlier_names
from choreography.engine.envelope import as_moment, as_text
from choreography.engine.identity import derived_id
from choreography.families import family_of

MOST_FOLDED: Final = 32
LARGEST_FOLDED: Final = 32 * 1024
"""Bytes. Beyond either bound an entity's further outcomes are kept apart, so that no record grows without end."""


class Outgoing(NamedTuple):
    """One event to publish: its topic, its partition key, and its text as stored."""

    topic: str
    key: str
    encoded: str

    @property
    def size(self) -> int:
        """The bytes of the event."""
        return len(self.encoded.encode())


def _on_its_topic(recorded: str, key: str, encoded: str) -> Outgoing:
    """Return a recorded event on the topic of its family, even if its record names another topic.

    Topics may have had other names when it was recorded, and then no consumer listens to the old topic any more.
    """
    wire_type = str(orjson.loads(encoded).get("type", ""))
    ours = wire_type.startswith("choreography.")
    return Outgoing(recorded if ours else family_of(wire_type) or recorded, key, encoded)


class ScheduledDeadline(NamedTuple):
    """One deadline to schedule: its time, and the event that is then delivered."""

    at: datetime
    encoded: str


class CommittedIntent(NamedTuple):
    """One committed intent: the effect that carries it out, its idempotency key, and its bytes."""

    effect: str
    key: str
    body: str
    flow_id: str
    at: datetime
    traceparent: str

    @property
    def answer_id(self) -> str:
        """The id of the one event that answers it."""
        return derived_id(self.key, "answer")


class Written(NamedTuple):
    """The version of an entity that an event wrote or decided by, so that a store can be replayed in its own order."""

    kind: str
    logical_id: str
    version: int
    changed: bool = True


class Quarantined(NamedTuple):
    """Why an event was quarantined, and the event itself, so that it can be replayed.

    Attributes:
        needs: the knowledge that a release needs to run it, if this release lacks it. A release that has it replays the
            event by itself.
        topic: the logical topic of its delivery.
        inside: whether it never was on a broker.
    """

    reason: str
    attempts: int
    stack: str
    event: str
    needs: str = ""
    topic: str = ""
    inside: bool = False


class Outcome(NamedTuple):
    """The record of what a service did with one event."""

    event_id: str
    digest: str
    at: datetime
    events: tuple[Outgoing, ...] = ()
    deadlines: tuple[ScheduledDeadline, ...] = ()
    intents: tuple[CommittedIntent, ...] = ()
    written: tuple[Written, ...] = ()
    own: Outgoing | None = None
    """The event itself, if a command of this service published it: a nudge publishes it again."""
    heard: str = ""
    """The event itself, if it never was on a broker (an answer, a deadline): an auditor needs it."""
    quarantined: Quarantined | None = None
    type: str = ""
    """Its wire type, for people who look into the store."""
    flow_id: str = ""
    """Its flow, for the same readers."""

    def to_json(self) -> list[Any]:
        """Return the compact form that is stored."""
        own, bad = self.own, self.quarantined
        return [
            self.event_id,
            self.digest,
            as_text(self.at),
            [[event.topic, event.key, event.encoded] for event in self.events],
            [[as_text(due.at), due.encoded] for due in self.deadlines],
            [[w.effect, w.key, w.body, w.flow_id, as_text(w.at), w.traceparent] for w in self.intents],
            [[w.kind, w.logical_id, w.version, w.changed] for w in self.written],
            [own.topic, own.key, own.encoded] if own else None,
            self.heard,
            list(bad) if bad else None,
            self.type,
            self.flow_id,
        ]

    @classmethod
    def from_json(cls, raw: list[Any]) -> Self:
        """Read the compact form. Fields that a later release of the library has added are ignored."""
        event_id, digest, at, events, deadlines, intents, written, own, heard, bad, *newer = raw
        wire_type, flow_id, *_ = (*newer, "", "")
        return cls(
            event_id=event_id,
            digest=digest,
            at=as_moment(at),
            events=tuple(_on_its_topic(*event) for event in events),
            deadlines=tuple(ScheduledDeadline(as_moment(moment), encoded) for moment, encoded in deadlines),
            intents=tuple(
                CommittedIntent(e, key, body, flow, as_moment(moment), tp) for e, key, body, flow, moment, tp in intents
            ),
            written=tuple(Written(*one) for one in written),
            own=_on_its_topic(*own) if own else None,
            heard=heard,
            quarantined=Quarantined(*bad[: len(Quarantined._fields)]) if bad else None,
            type=wire_type,
            flow_id=flow_id,
        )


@dataclass(slots=True)
class EntityRecord:
    """One entity as stored: its state, its joins' slots, and the outcomes folded into it.

    A vacant record (no state) is a placeholder: its ETag guards the fact that there is no such entity.
    """

    version: int = 0
    state: dict[str, Any] | None = None
    slots: dict[str, dict[str, Any]] = field(default_factory=dict)
    folded: dict[str, list[Any]] = field(default_factory=dict)
    apart: bool = False
    """Whether outcomes of events that name this entity are also kept apart, so that absence here proves nothing."""
    gone: bool = False
    others: dict[str, Any] = field(default_factory=dict)
    """Fields that a later release of the library keeps here. They are written again as they were read."""

    def copy(self) -> EntityRecord:
        """Return a copy to change. Its contents are replaced, never changed in place."""
        return EntityRecord(
            self.version, self.state, dict(self.slots), dict(self.folded), self.apart, self.gone, self.others
        )

    def encode(self) -> str:
        """Return the text to store."""
        raw: dict[str, Any] = {**self.others, "v": self.version, "s": self.state}
        if self.slots:
            raw["j"] = self.slots
        if self.folded:
            raw["o"] = self.folded
        if self.apart:
            raw["x"] = True
        if self.gone:
            raw["g"] = True
        return orjson.dumps(raw).decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read a stored text."""
        raw = orjson.loads(text)
        version, state = raw.pop("v"), raw.pop("s")
        slots, folded = raw.pop("j", {}), raw.pop("o", {})
        return cls(version, state, slots, folded, raw.pop("x", False), raw.pop("g", False), raw)

    def outcome_of(self, event_key: str) -> Outcome | None:
        """Return the folded outcome of an event, if this record holds it."""
        raw = self.folded.get(event_key)
        return Outcome.from_json(raw) if raw is not None else None

    def fold(self, event_key: str, outcome: Outcome, keep_since: datetime) -> bool:
        """Fold an outcome in, dropping outcomes that no delivery can ask for any more. False if there is no room."""
        since = as_text(keep_since)
        # Moments compare as texts in the one form used on the wire.
        kept = {key: raw for key, raw in self.folded.items() if raw[2] >= since}
        kept[event_key] = outcome.to_json()
        if len(kept) > MOST_FOLDED or sum(_size(raw) for raw in kept.values()) > LARGEST_FOLDED:
            return False
        self.folded = kept
        return True


def encode_outcome(outcome: Outcome) -> str:
    """Return the text of an outcome that is kept apart."""
    return orjson.dumps(outcome.to_json()).decode()


def decode_outcome(text: str) -> Outcome:
    """Read an outcome that was kept apart."""
    return Outcome.from_json(orjson.loads(text))


def _size(outcome: list[Any]) -> int:
    """Return about how many bytes an outcome takes: its events make up nearly all of them."""
    _, _, _, events, deadlines, intents, _, _, heard, bad, *_ = outcome
    texts = (
        [event[2] for event in events]
        + [due[1] for due in deadlines]
        + [committed[2] for committed in intents]
        + [heard]
    )
    return 200 + sum(len(text) for text in texts) + (len(bad[3]) if bad else 0)


__getattr__ = earlier_names(__name__, {"Wish": "CommittedIntent", "Due": "ScheduledDeadline"})
