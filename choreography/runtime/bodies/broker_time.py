"""The time at which a broker took a message, if Dapr's component reports it: for events without a time of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from choreography.engine.envelope import as_moment, as_text
from choreography.errors import InvalidEventError


def taken_at(metadata: Mapping[str, object]) -> str:
    """Return the time at which a message was taken, as RFC 3339; an empty text if its metadata has none."""
    for name, value in metadata.items():
        read = _READERS.get(name.lower())
        if read and isinstance(value, str):
            with suppress(ValueError, OverflowError, OSError, InvalidEventError):
                return as_text(read(value))
    return ""


def _milliseconds(text: str) -> datetime:
    since_1970 = int(text)
    if since_1970 <= 0:
        raise ValueError("the broker keeps no time for this message")
    return datetime.fromtimestamp(since_1970 / 1000, UTC)


_READERS: Final[Mapping[str, Callable[[str], datetime]]] = {
    "__timestamp": _milliseconds,  # Kafka
    "x-opt-enqueued-time": as_moment,  # Azure Event Hubs
    "metadata.enqueuedtimeutc": parsedate_to_datetime,  # Azure Service Bus
}
