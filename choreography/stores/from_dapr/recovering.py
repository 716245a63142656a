"""Reading the records of Dapr's state stores: finding the id of each record, although its key holds only a hash.

A key holds the service, the kind and the SHA-256 of the id. The id itself is in some record of the same service: an
entity holds its key field, an outcome holds the id of its event and of every entity that it wrote, a command holds its
event. So every text in every record is hashed, and the texts whose hashes are wanted are remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from choreography.contracts import LIBRARY_KINDS
from choreography.engine.envelope import as_moment
from choreography.engine.identity import OUTCOME, Key, derived_id, hashed
from choreography.engine.not_yet import PAGES
from choreography.engine.operations import Limits
from choreography.engine.records import EntityRecord
from choreography.errors import InvalidEventError

_OF_ONE_RUN: Final = frozenset({"canary", "probe", "replica", "accepted-slot"})
"""Kinds of records that only the processes that wrote them need."""
ACCEPTED: Final = "accepted"
_KEPT: Final = float(Limits().kept_seconds)


class Old(NamedTuple):
    """One row of Dapr's table.

    Attributes:
        key: its key.
        value: its text.
        expires: when it expires, in seconds since 1970; None if it never expires.
        changed: when it was written; None if that is unknown.
    """

    key: str
    value: str
    expires: float | None = None
    changed: float | None = None


class RecordPlace(NamedTuple):
    """The parts of a key of Dapr's table."""

    service: str
    kind: str
    digest: str


class New(NamedTuple):
    """One row of a service's own tables."""

    key: Key
    record: str
    expires: float | None
    changed: float | None


def place_of(key: str) -> RecordPlace | None:
    """Read a key, such as ``order||order.outcome.<hash>``; None if the key is not from this library."""
    parts = key.rpartition("||")[2].rsplit(".", 2)
    return RecordPlace(*parts) if len(parts) == 3 and len(parts[2]) == 64 else None


def is_needed(place: RecordPlace) -> bool:
    """Tell whether a record is still needed after the process that wrote it has ended."""
    return place.kind not in _OF_ONE_RUN


def text_of(value: Any) -> str:
    """Return the text of a record: components store it as a JSON string, some as JSON inside JSON."""
    text = value.decode() if isinstance(value, bytes) else value
    while isinstance(text, str) and text.startswith('"'):
        text = orjson.loads(text)
    return text if isinstance(text, str) else orjson.dumps(text).decode()


class Names:
    """The ids behind the hashes of one service."""

    def __init__(self) -> None:
        self._found: dict[str, str | None] = {}
        self._pages = {hashed(str(page)): str(page) for page in range(PAGES)}

    def want(self, place: RecordPlace) -> None:
        """Note that the id of a hash is wanted."""
        self._found.setdefault(place.digest, self._pages.get(place.digest))

    def look_into(self, text: str) -> None:
        """Hash every text in a record."""
        for one in _texts(_parsed(text)):
            digest = hashed(one)
            if digest in self._found:
                self._found[digest] = one

    def id_of(self, place: RecordPlace) -> str | None:
        """Return the id of a record; None if no record holds it."""
        return self._found.get(place.digest)


def is_vacant(text: str) -> bool:
    """Tell whether a record is only the placeholder of a missing entity; own tables need no placeholders."""
    raw = _parsed(text)
    if not isinstance(raw, dict) or raw.get("s") is not None or raw.get("o"):
        return False
    slots = raw.get("j", {})
    return not any(one.get("filled") or one.get("undone") or one.get("fired") for one in slots.values())


def renewed(place: RecordPlace, logical_id: str, old: Old) -> Iterator[New]:
    """Yield the new rows for one row of Dapr's table: outcomes folded into an entity get rows of their own."""
    if place.kind in LIBRARY_KINDS:
        at = _moment(_parsed(old.value)) if place.kind == OUTCOME else None
        yield New(Key(place.service, place.kind, logical_id), old.value, old.expires, at or old.changed)
        return
    key = Key(place.service, place.kind, logical_id)
    try:
        record = EntityRecord.decode(old.value)
        folded = [(str(raw[0]), raw, _moment(raw)) for raw in record.folded.values()]
    except (orjson.JSONDecodeError, LookupError, AttributeError, TypeError):
        # A spoilt record is moved as it is, since the engine can handle it.
        yield New(key, old.value, old.expires, old.changed)
        return
    if folded:
        record.folded, record.apart = {}, True
    yield New(key, record.encode() if folded else old.value, old.expires, old.changed)
    for event_id, raw, at in folded:
        expires = at + _KEPT if at is not None and not raw[9] else None
        yield New(Key(place.service, OUTCOME, event_id), orjson.dumps(raw).decode(), expires, at or old.changed)


def _moment(raw: Any) -> float | None:
    try:
        return as_moment(raw[2]).timestamp()
    except (InvalidEventError, LookupError, TypeError):
        return None


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value, also the texts in JSON that is itself a string."""
    if isinstance(value, str):
        yield value
        if value[:1] in ("{", "["):
            yield from _texts(_parsed(value))
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _texts(part)
        if isinstance(value.get("key"), str):
            yield derived_id(value["key"], "answer")
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, int):
        yield str(value)
