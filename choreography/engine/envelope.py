"""The CloudEvents 1.0 envelope, written once and published as stored."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

import orjson

from choreography.engine.identity import digest_of, valid_id
from choreography.errors import InvalidEventError, UnsayableEventError

LARGEST_EVENT: Final = 64 * 1024
"""Bytes. CloudEvents asks every consumer to accept events of this size, and none to accept larger events."""

_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
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

    ``id`` is the identity. A nudge sends the event under another envelope id, because some brokers drop an envelope id
    that they have seen; then the identity travels in the extension ``eventid``. ``subject`` and ``flow_id`` are empty
    if the publisher left them out and they were not yet derived from the contract (see :meth:`about`).
    """

    @cached_property
    def text(self) -> bytes:
        """The data as JSON; contracts read it several times."""
        return orjson.dumps(self.data)

    @cached_property
    def digest(self) -> str:
        """The digest of the data: two events with one id must have the same digest."""
        return digest_of(self.type, self.source, self.subject, self.data)

    def about(self, subject: str) -> Envelope:
        """Return the event with the subject and flow of its contract. The data is the same, so the digest stays."""
        whole = self._replace(subject=subject, flow_id=self.flow_id or subject)
        vars(whole).update(text=self.text, digest=self.digest)
        return whole

    def encode(self) -> str:
        """Return the event as it will be stored and published, every attribute set.

        Raises:
            UnsayableEventError: it is larger than 64 KiB or holds a value that JSON cannot carry exactly.
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
    """Return a stored event under a new envelope id, with its identity kept in ``eventid``."""
    attributes = orjson.loads(encoded)
    # The stored event may itself have come under the envelope id of a nudge.
    attributes["eventid"] = attributes.get("eventid", attributes["id"])
    attributes["id"] = f"{attributes['eventid']}~{nudge}"
    return orjson.dumps(attributes).decode()


@lru_cache(maxsize=4096)
def as_text(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC with milliseconds, the only form used on the wire."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_moment(text: object, what: str = "time") -> datetime:
    """Read an RFC 3339 moment, in any of its forms and no other.

    Raises:
        InvalidEventError: the text is no such moment.
    """
    if text is None:
        raise InvalidEventError(
            f"The event has no {what}, and its broker does not say when it took it, "
            "so nobody can tell whether it is too old."
        )
    moment = _moment(text) if isinstance(text, str) else None
    if moment is None:
        raise InvalidEventError(
            f"The event has no valid {what}: {str(text)[:64]!r} is no moment of RFC 3339, such as "
            "2026-01-31T12:00:00Z, so nobody can tell whether it is too old."
        )
    return moment


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime | None:
    if _RFC_3339.fullmatch(text) is None:
        return None
    text = text.upper()
    try:
        if ":60" not in text:  # in this form only seconds can be sixty
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
        # A leap second ends a month in UTC; as in POSIX, it counts as the first second of the next month.
        before = datetime.fromisoformat(text.replace(":60", ":59")).astimezone(UTC)
        moment = before + timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    return moment if (moment.day, moment.hour, moment.minute) == (1, 0, 0) else None


def is_traceparent(text: str) -> bool:
    """Tell whether the text names a span as W3C trace context does."""
    return _TRACEPARENT.match(text) is not None
