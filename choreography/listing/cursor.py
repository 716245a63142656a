"""The end of a page of a list, as a text that has a meaning only for the list that made it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from choreography.listing.list_view import ListView

_LONGEST: Final = 4096
_DIGITS: Final = 19
_DIGEST: Final = 12
_BEYOND: Final = 2**63


class PagePlace(NamedTuple):
    """A place in the order of a list: the place of an entity, which may have been deleted since.

    Attributes:
        born: when the entity was first written, in microseconds since 1970.
        logical_id: its id, which distinguishes entities that were written at the same moment.
    """

    born: int
    logical_id: str


def written(place: PagePlace, view: ListView, wanted: Mapping[str, str]) -> str:
    """Return the cursor of a place, for the same list with the same filters."""
    text = f"{_question(view, wanted)}{place.born:0{_DIGITS}d}{place.logical_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(cursor: str, view: ListView, wanted: Mapping[str, str]) -> PagePlace:
    """Return the place that a cursor names.

    Raises:
        ValueError: the text is no cursor, or belongs to another list or to other filters.
    """
    padded = cursor[: _LONGEST + 1] + "=" * (-len(cursor) % 4)
    try:
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode() if len(cursor) <= _LONGEST else ""
    except (ValueError, binascii.Error):
        text = ""
    question, born, logical_id = text[:_DIGEST], text[_DIGEST : _DIGEST + _DIGITS], text[_DIGEST + _DIGITS :]
    number = int(born) if born.isascii() and born.isdigit() and len(born) == _DIGITS else _BEYOND
    if number >= _BEYOND or not logical_id or "\x00" in logical_id:
        raise ValueError("it is no cursor of a list. Send the `next` of a page as it is")
    if question != _question(view, wanted):
        raise ValueError("it belongs to another list or to other filters. Begin that list without it")
    return PagePlace(number, logical_id)


def _question(view: ListView, wanted: Mapping[str, str]) -> str:
    told = json.dumps([view.path, view.entity.kind, view.newest_first, sorted(wanted.items())])
    return hashlib.sha256(told.encode()).hexdigest()[:_DIGEST]
