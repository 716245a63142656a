"""Reading CloudEvents as other systems write them: every valid event is taken, every other event gets a reason."""

from __future__ import annotations

import base64
import re
from typing import Any, Final

import orjson

from choreography.engine.envelope import Envelope, as_moment, is_traceparent
from choreography.engine.identity import valid_id
from choreography.errors import InvalidEventError

_JSON_TYPE: Final = re.compile(r"[^/\s]+/(?:[^/\s]+\+)?json")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_OTHER_ENCODINGS: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_WIDE: Final = re.compile(rb"\x00{0,3}[\[{\"]\x00|\x00{1,3}[\[{\"]")
"""The first bytes of JSON in UTF-16 or UTF-32 without a byte order mark."""
_GZIP: Final = b"\x1f\x8b"


def without_mark(raw: bytes) -> bytes:
    """Return a text without the byte order mark that some systems put before UTF-8."""
    return raw.removeprefix(_BYTE_ORDER_MARK)


def read_json(raw: bytes, what: str = "The event") -> Any:
    """Parse JSON.

    Raises:
        InvalidEventError: the text is no JSON; the message gives the true reason.
    """
    try:
        return orjson.loads(raw.removeprefix(_BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise InvalidEventError(_why_no_json(raw, what, error)) from error


def read_envelope(raw: Any) -> Envelope:
    """Read a delivered CloudEvent. Its subject and flow may be left out: they follow from its contract.

    Raises:
        InvalidEventError: a required attribute is missing or hostile.
    """
    if not isinstance(raw, dict):
        raise InvalidEventError("The event is not a JSON object, so it is no CloudEvent.")
    if raw.get("specversion") is None:
        raise InvalidEventError("The event has no specversion, so it is no CloudEvent.")
    if raw["specversion"] != "1.0":
        raise InvalidEventError(f"The event has the specversion {raw.get('specversion')!r}; only 1.0 is known.")
    subject, flow_id = _optional(raw, "subject"), _optional(raw, "flowid")
    causation_id, traceparent = raw.get("causationid"), raw.get("traceparent")
    envelope = Envelope(
        id=identity_of(raw),
        type=valid_id(raw.get("type"), "type"),
        source=valid_id(raw.get("source"), "source"),
        subject=subject,
        time=as_moment(raw.get("time")),
        flow_id=flow_id or subject,
        causation_id=causation_id[:256] if isinstance(causation_id, str) else "",
        traceparent=traceparent if isinstance(traceparent, str) and is_traceparent(traceparent) else "",
        data=_data(raw),
    )
    try:
        _ = envelope.digest
    except (TypeError, orjson.JSONEncodeError) as error:
        raise InvalidEventError(
            f"The event's data cannot be written again, so it could not be kept: {error}."
        ) from error
    return envelope


def identity_of(raw: Any) -> str:
    """Return the id by which a repeat of an event is recognised.

    Raises:
        InvalidEventError: it has no safe id.
    """
    if not isinstance(raw, dict):
        raise InvalidEventError("The event is not a JSON object, so it has no id.")
    nudged = raw.get("eventid")
    return valid_id(raw.get("id") if nudged is None else nudged, "id")


def _optional(raw: dict[str, Any], name: str) -> str:
    """Return an attribute that may be left out; an empty text if it was left out or is null."""
    value = raw.get(name)
    return "" if value is None else valid_id(value, name)


def _data(raw: dict[str, Any]) -> dict[str, Any]:
    data, encoded, content_type = raw.get("data"), raw.get("data_base64"), raw.get("datacontenttype")
    if content_type != "application/json" and not _says_json(content_type):
        raise InvalidEventError(
            f"The event's data is {content_type!r} by its datacontenttype, and contracts are read from JSON. "
            "Publish it as application/json."
        )
    if encoded is not None:
        if data is not None:
            raise InvalidEventError("The event holds both data and data_base64, so nobody can tell which one counts.")
        data = read_json(_from_base64(encoded), "The event's data_base64")
    elif data is None:
        raise InvalidEventError("The event has no data, so it says nothing that a contract could be read from.")
    if not isinstance(data, dict):
        raise InvalidEventError("The event's data is not a JSON object.")
    return data


def _says_json(content_type: object) -> bool:
    """Tell whether the media type means JSON, whatever its parameters. Without a type CloudEvents assumes JSON."""
    if content_type in (None, ""):
        return True
    if not isinstance(content_type, str):
        return False
    return _JSON_TYPE.fullmatch(content_type.partition(";")[0].strip().lower()) is not None


def _from_base64(encoded: object) -> bytes:
    if not isinstance(encoded, str):
        raise InvalidEventError("The event's data_base64 is not a text.")
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise InvalidEventError(f"The event's data_base64 is not base64: {error}.") from error


def _why_no_json(raw: bytes, what: str, error: orjson.JSONDecodeError) -> str:
    if not without_mark(raw):
        return f"{what} is empty."
    if raw.startswith(_GZIP):
        return f"{what} is compressed with gzip; publish it as it is, a broker may compress it on its own."
    if raw.startswith(_OTHER_ENCODINGS) or _WIDE.match(raw):
        return f"{what} is UTF-16 or UTF-32, and JSON is exchanged in UTF-8 (RFC 8259). Publish it in UTF-8."
    return f"{what} is not JSON: {error}."
