"""Packs several messages into one delivery on request: a sidecar takes one delivery of a topic at a time.

A pack has the form in which a sidecar itself delivers batches, so a consumer of batches can read a pack::

    {"type": "com.dapr.event.sent.bulk", "entries": [{"entryId": "0", "event": "<base64>", "metadata": {...}}]}
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Final

from .errors import SettingsError
from .log import LOG
from .messages import Delivery

PACKED: Final = "application/vnd.choreography.packed+json"
"""The content type of a pack."""

MOST_BYTES: Final = 128 * 1024
"""Of the messages in a pack: in base64 and with what stands around them they stay below 256 KiB."""

_SETTING: Final = "packMessages"
_MOST_MESSAGES: Final = 1000


def pack_size(metadata: Mapping[str, str]) -> int:
    """Return the most messages that a subscription takes in one delivery; 1 unless it sets more.

    Raises:
        SettingsError: the setting is invalid.
    """
    said = next((value for name, value in metadata.items() if name.casefold() == _SETTING.casefold()), "1").strip()
    if not said.isdecimal() or not 1 <= int(said) <= _MOST_MESSAGES:
        raise SettingsError(
            f"{_SETTING} of the subscription is {said!r}, but must be a whole number from 1 to {_MOST_MESSAGES}."
        )
    if int(said) > 1 and metadata.get("rawPayload", "").lower() != "true":
        LOG.warning(
            '%s is %s, but the subscription does not say rawPayload: "true", so the sidecar would take a pack for one '
            "event. Messages are delivered one by one",
            *(_SETTING, said),
        )
        return 1
    return int(said)


def packed(name: str, messages: Sequence[Delivery]) -> Delivery:
    """Return one delivery of several messages."""
    entries = [
        {
            "entryId": str(place),
            "event": base64.b64encode(one.data).decode(),
            "contentType": one.content_type,
            "metadata": dict(one.metadata),
        }
        for place, one in enumerate(messages)
    ]
    whole = {"type": "com.dapr.event.sent.bulk", "entries": entries}
    return Delivery(name, json.dumps(whole, separators=(",", ":")).encode(), PACKED)
