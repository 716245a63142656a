"""The CloudEvents 1.0 envelope, written once and published as stored."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

import orjson

from choreography.engine.identity import digest_of, valid_id
from choreography.errors import InvalidEventError, UnsayableEventError

LARGEST_EVENT: Final = 64 * 1024
"""Bytes. CloudEvents asks every consumer to take this much and nobody to take more."""

_TRACEPARENT: Final = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


class _Attributes(NamedTuple):
    id: str
    type: str
    source: str
    subject: str
    time: datetime
    flow_id: str
    causation_id: str
    traceparent: str
    data: dict[str, Any]


class Envelope(_Attributes):
    """One event on the wire.

    ``id`` is the identity. A nudge sends the same identity under another envelope id, because some brokers drop an
    envelope id they have seen; then the identity travels in the extension ``eventid``.
    """

    @cached_property
    def text(self) -> bytes:
        """What it says, as JSON: contracts are read from this, several times over."""
        return orjson.dumps(self.data)

    @cached_property
    def digest(self) -> str:
        """What this event says, as a digest: two events with one id must agree in it."""
        return digest_of(self.type, self.source, self.subject, self.data)

    def encode(self) -> str:
        """Return the event as it will be stored and published, every attribute set.

        Raises:
            UnsayableEventError: it is larger than 64 KiB or holds what JSON cannot carry exactly.
        """
        attributes = {
            "specversion": "1.0",
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "subject": self.subject,
            "time": as_text(self.time),
            "datacontenttype": "application/json",
            "flowid": self.flow_id,
            "causationid": self.causation_id,
            "data": self.data,
        }
        if self.traceparent:
            # A sidecar overwrites traceparent unless traceid stands beside it.
            attributes |= {"traceparent": self.traceparent, "traceid": self.traceparent}
        try:
            valid_id(self.subject, "subject")
            encoded = orjson.dumps(attributes, option=orjson.OPT_STRICT_INTEGER)
        except InvalidEventError as error:
            raise UnsayableEventError(f"Every consumer would refuse the event {self.type}: {error}") from error
        except (TypeError, orjson.JSONEncodeError) as error:
            raise UnsayableEventError(f"The event {self.type} cannot be written exactly: {error}.") from error
        if len(encoded) > LARGEST_EVENT:
            raise UnsayableEventError(
                f"The event {self.type} has {len(encoded)} bytes; {LARGEST_EVENT} is the most a consumer must take. "
                "Say less, or say where the rest is to be found."
            )
        return encoded.decode()


def nudged(encoded: str, nudge: str) -> str:
    """Return a stored event under a new envelope id, its identity kept in ``eventid``."""
    attributes = orjson.loads(encoded)
    # What is kept may itself have come under a nudge's envelope id.
    attributes["eventid"] = attributes.get("eventid", attributes["id"])
    attributes["id"] = f"{attributes['eventid']}~{nudge}"
    return orjson.dumps(attributes).decode()


@lru_cache(maxsize=4096)
def as_text(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC with milliseconds, the one form used on the wire."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_moment(text: object, what: str = "time") -> datetime:
    """Read an RFC 3339 moment.

    Raises:
        InvalidEventError: there is none, or it has no offset.
    """
    try:
        moment = datetime.fromisoformat(str(text)) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidEventError(f"The event has no valid {what} ({text!r}), so nobody can tell whether it is too old.")
    return moment


def is_traceparent(text: str) -> bool:
    """Tell whether this names a span as W3C trace context does."""
    return _TRACEPARENT.match(text) is not None


def read_envelope(raw: Any) -> Envelope:
    """Read a delivered CloudEvent.

    Raises:
        InvalidEventError: a required attribute is missing or hostile.
    """
    if not isinstance(raw, dict):
        raise InvalidEventError("The event is not a JSON object, so it is no CloudEvent.")
    if raw.get("specversion") != "1.0":
        raise InvalidEventError(f"The event has the specversion {raw.get('specversion')!r}; only 1.0 is known.")
    identity = valid_id(raw.get("eventid", raw.get("id")), "id")
    data = raw.get("data")
    if not isinstance(data, dict):
        raise InvalidEventError("The event's data is not a JSON object.")
    traceparent = raw.get("traceparent")
    envelope = Envelope(
        id=identity,
        type=valid_id(raw.get("type"), "type"),
        source=valid_id(raw.get("source"), "source"),
        subject=valid_id(raw.get("subject"), "subject"),
        time=as_moment(raw.get("time")),
        flow_id=valid_id(raw.get("flowid", raw.get("subject")), "flowid"),
        causation_id=str(raw.get("causationid", ""))[:256],
        traceparent=traceparent if isinstance(traceparent, str) and is_traceparent(traceparent) else "",
        data=data,
    )
    try:
        _ = envelope.digest
    except (TypeError, orjson.JSONEncodeError) as error:
        raise InvalidEventError(
            f"The event's data cannot be written again, so it could not be kept: {error}."
        ) from error
    return envelope
