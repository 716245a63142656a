"""The form of bytes in EventBridge, which carries JSON and may rewrite it on the way."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

DEFAULT_CONTENT_TYPE: Final = "application/octet-stream"

# The characters that SQS accepts in a message. The queue would refuse others, long after the publish succeeded.
_NOT_FOR_SQS: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Received:
    """A message of a queue.

    Attributes:
        data: the bytes that were published; if another program published the event, the whole event as JSON.
        content_type: the content type that the publisher gave.
        metadata: EventBridge's metadata of it: ``eventId``, ``eventSource``, ``eventTime``.
    """

    data: bytes
    content_type: str
    metadata: Mapping[str, str]


def wrap(data: bytes, content_type: str) -> str:
    """Return the Detail of an event: ``{"daprText": ...}`` if the bytes are text, else ``{"daprBase64": ...}``.

    Text stays readable in archives and in rules. It is one JSON string and not nested JSON, because EventBridge parses
    nested JSON, and would change the form of numbers and blanks.
    """
    detail = {"contentType": content_type} if content_type else {}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or _NOT_FOR_SQS.search(text):
        detail["daprBase64"] = base64.b64encode(data).decode()
    else:
        detail["daprText"] = text
    return json.dumps(detail, ensure_ascii=False, separators=(",", ":"))


def unwrap(body: str) -> Received:
    """Return the content of a message in the queue. A message that is not wrapped is returned as it is."""
    event = _mapping(body)
    detail = event.get("detail")
    metadata = {
        told: str(event[name])
        for told, name in (("eventId", "id"), ("eventSource", "source"), ("eventTime", "time"))
        if name in event
    }
    if isinstance(detail, dict):
        content_type = str(detail.get("contentType") or DEFAULT_CONTENT_TYPE)
        if isinstance(text := detail.get("daprText"), str):
            return Received(text.encode(), content_type, metadata)
        if isinstance(coded := detail.get("daprBase64"), str):
            try:
                return Received(base64.b64decode(coded, validate=True), content_type, metadata)
            except binascii.Error:
                pass
    return Received(body.encode(), "application/json", metadata)


def _mapping(body: str) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
