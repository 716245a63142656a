"""The input of the engine, and how its kinds are distinguished: events, answers, deadlines, nudges and replays."""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal, NamedTuple, Self

import orjson

from choreography.engine.envelope import Envelope
from choreography.engine.identity import digest_of_bytes, valid_id
from choreography.engine.reading import identity_of, read_envelope, read_json, without_mark
from choreography.errors import InvalidEventError

NUDGE_TYPE: Final = "choreography.nudge.v1"
REPLAY_TYPE: Final = "choreography.replay.v1"
CANARY_TYPE: Final = "choreography.canary.v1"
QUARANTINED_TYPE: Final = "choreography.quarantined.v1"
INTENT_TYPE: Final = "choreography.intent.v1"

LARGEST_READ: Final = 256 * 1024
"""Bytes. Four times the size that every consumer must accept; a larger event is quarantined unread."""

BEGINNING: Final = 8 * 1024
"""How many bytes are kept of an event that is too large to be kept whole."""
_CUT: Final = "[...]"


class Overlong(NamedTuple):
    """A placeholder for too many bytes to keep: their SHA-256, their number, and their beginning."""

    digest: str
    size: int
    beginning: bytes

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """Return the placeholder for these bytes."""
        return cls(hashlib.sha256(raw).hexdigest(), len(raw), raw[:BEGINNING])


class Delivery(NamedTuple):
    """One thing to settle.

    Attributes:
        envelope: the event; None if it could not be read.
        raw: its text as it was delivered, kept if it is quarantined.
        identity: the id its outcome is found under.
        problem: why it cannot be run, if it cannot.
        traceparent: the span that handles it; the events that result from it carry it on.
        inside: the event was never on a broker (an answer, a deadline), so its outcome keeps it for auditors.
        purpose: run it, look its outcome up and publish that again (nudge), or run it out of quarantine (replay).
        nudge: the nudge's id, if it is one.
        needs: the knowledge that a release needs to run it, if this release lacks it.
        topic: the logical topic of the delivery; empty for an event that was never on a broker, or came in a nudge or a
            replay.
        claimed_type: the type that unreadable bytes claim to have, if that is a valid type.
        recorded_as: the id of the quarantine record that holds the event, if it is replayed.
        cut: only the beginning of its text is kept.
    """

    envelope: Envelope | None
    raw: str
    identity: str
    problem: str = ""
    traceparent: str = ""
    inside: bool = False
    purpose: Literal["run", "nudge", "replay"] = "run"
    nudge: str = ""
    needs: str = ""
    topic: str = ""
    claimed_type: str = ""
    recorded_as: str = ""
    cut: bool = False

    @property
    def type(self) -> str:
        """The type of the event, or the type that unreadable bytes claim to have."""
        return self.envelope.type if self.envelope else self.claimed_type


def read_delivery(raw: bytes | Overlong, traceparent: str = "") -> Delivery:
    """Read the bytes of one delivered event. Never raises: unreadable bytes become a delivery with a problem."""
    if isinstance(raw, Overlong):
        return too_large(raw)
    raw = without_mark(raw)
    try:
        parsed = read_json(raw)
    except InvalidEventError as error:
        return unreadable(raw, str(error))
    return read_parsed(parsed, raw, traceparent)


def read_parsed(parsed: Any, raw: bytes, traceparent: str = "", *, topic: str = "", taken: str = "") -> Delivery:
    """Read one delivered event whose JSON is already parsed.

    Args:
        parsed: the event.
        raw: its text.
        traceparent: the span that handles it.
        topic: the logical topic of the delivery.
        taken: when the broker took the event, if known: used for an event that has no time of its own.
    """
    if taken and isinstance(parsed, dict) and parsed.get("time") is None:
        # Written into its text as well, so that the text can be read again wherever it is stored.
        parsed = parsed | {"time": taken}
        raw = orjson.dumps(parsed)
    try:
        envelope = read_envelope(parsed)
    except InvalidEventError as error:
        return _with_problem(parsed, raw, str(error))
    text = raw.decode("utf-8", "replace")
    return Delivery(envelope, text, envelope.id, "", traceparent or envelope.traceparent, topic=topic)


def too_large(bytes_: Overlong) -> Delivery:
    """Return a delivery for an event that is too large to be read, identified by its digest."""
    problem = (
        f"The event has {bytes_.size} bytes, and {LARGEST_READ} are the most that is read. Only its digest, its size "
        "and its beginning are kept, so it can never run. Say less, or say where the rest is to be found."
    )
    text = bytes_.beginning.decode("utf-8", "backslashreplace") + _CUT
    return Delivery(None, text, f"sha256:{bytes_.digest}", problem, cut=True)


def unreadable(raw: bytes, problem: str) -> Delivery:
    """Return a delivery for bytes that are no event at all, identified by their digest."""
    return Delivery(None, raw.decode("utf-8", "backslashreplace"), digest_of_bytes(raw), problem)


def shortened(delivery: Delivery) -> Delivery:
    """Return a delivery that keeps only the beginning of its text, for a store that refuses a longer one."""
    return delivery._replace(raw=delivery.raw[:BEGINNING] + _CUT, cut=True)


def _with_problem(parsed: Any, raw: bytes, problem: str) -> Delivery:
    try:
        identity = identity_of(parsed)
    except InvalidEventError:
        return unreadable(raw, problem)._replace(claimed_type=_claimed_type(parsed))
    # Stored under id and digest: a later, readable event of the same id must still be able to run.
    return Delivery(
        None,
        raw.decode("utf-8", "replace"),
        f"{identity}~{digest_of_bytes(raw)}",
        problem,
        claimed_type=_claimed_type(parsed),
    )


def _claimed_type(parsed: Any) -> str:
    try:
        return valid_id(parsed.get("type") if isinstance(parsed, dict) else None, "type")
    except InvalidEventError:
        return ""
