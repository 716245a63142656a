"""Reading what a fired job holds: the deadlines of one batch, each an ordinary event of this service."""

from __future__ import annotations

from choreography.engine.delivery import Delivery, Overlong, read_delivery, too_large, unreadable
from choreography.engine.reading import read_json
from choreography.errors import InvalidEventError


def fired(body: bytes | Overlong) -> list[Delivery] | None:
    """Read a fired job; None if it may be one that another release can read."""
    if isinstance(body, Overlong):
        return [too_large(body)]
    try:
        data = read_json(body, "A fired job")
    except InvalidEventError as error:
        return [unreadable(body, str(error))]
    if isinstance(data, dict) and isinstance(data.get("value"), dict):
        data = data["value"]
    if not isinstance(data, dict):
        return [unreadable(body, "A fired job is not a JSON object, so it holds no deadlines.")]
    events = data.get("events")
    if not isinstance(events, list) or not events:
        return None
    return [read_delivery(str(event).encode("utf-8", "replace"))._replace(inside=True) for event in events]
