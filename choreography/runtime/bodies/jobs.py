"""Reading a fired job: the deadlines of one batch, or the accepted commands of a reminder.

A job that cannot be read would be fired again for ever. So each unreadable item in it becomes a delivery that is
quarantined, and the readable items are served.
"""

from __future__ import annotations

from typing import Final

import orjson

from choreography.engine.delivery import Delivery, Overlong, read_delivery, read_parsed, too_large, unreadable
from choreography.engine.reading import read_json
from choreography.errors import InvalidEventError

LARGEST_JOB: Final = 32 * 1024 * 1024
"""Bytes. The scheduler accepts far less, so a larger job cannot be one of this service."""


def fired(body: bytes | Overlong) -> list[Delivery]:
    """Read a job that holds deadlines: each is an ordinary event of this service."""
    listed = _listed(body, "events", "deadlines")
    if isinstance(listed, Delivery):
        return [listed]
    return [_event(one)._replace(inside=True) for one in listed]


def reminded_of(body: bytes | Overlong) -> list[Delivery]:
    """Read a reminder of accepted commands: the event of each command."""
    listed = _listed(body, "commands", "accepted commands")
    return [listed] if isinstance(listed, Delivery) else [_event(one) for one in listed]


def _listed(body: bytes | Overlong, member: str, held: str) -> list[object] | Delivery:
    """Return the items of a job, or a delivery that says why there are none."""
    if isinstance(body, Overlong):
        return too_large(body)
    try:
        data = read_json(body, "A fired job")
    except InvalidEventError as error:
        return unreadable(body, str(error))
    if isinstance(data, dict) and member not in data:
        data = data.get("value")
    listed = data.get(member) if isinstance(data, dict) else None
    if isinstance(listed, list) and listed:
        return listed
    problem = (
        f"A fired job must list its {held} in {member!r}, and this job does not. It would be fired again for ever, so "
        "it is quarantined. Find out who scheduled it, since no release of this library does."
    )
    return unreadable(body, problem)


def _event(said: object) -> Delivery:
    if isinstance(said, str):
        return read_delivery(said.encode("utf-8", "replace"))
    return read_parsed(said, orjson.dumps(said))
