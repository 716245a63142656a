"""How bytes travel through EventBridge, which carries JSON and may write it anew on the way."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

DEFAULT_CONTENT_TYPE: Final = "application/octet-stream"

# What SQS takes in a message; anything else would be refused by the queue, long after the publish succeeded.
_NOT_FOR_SQS: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Received:
    """A message of a queue.

    Attributes:
        data: the bytes that were published; for an event that no such component published, all of it as JSON.
        content_type: what its publisher said.
        metadata: what EventBridge knows of it: ``eventId``, ``eventSource``, ``eventTime``.
    """

    data: bytes
    content_type: str
    metadata: Mapping[str, str]


def wrap(data: bytes, content_type: str) -> str:
    """Return the Detail of an event: ``{"daprText": ...}`` where the bytes are text, else ``{"daprBase64": ...}``.

    Text stays readable in archives and in rules. It is one JSON string and no nested JSON, because EventBridge parses
    what is nested, and numbers and blanks would come out otherwise than they went in.
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
    """Return what a message of the queue holds. Whatever is not wrapped is handed over as it is."""
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
