"""Reading requests of the sidecar as a stream, so that neither their size nor one bad entry fails a whole request.

A batch is split into its entries while it arrives. An entry that is too large is never kept whole: its digest, its size
and its beginning replace it. Nothing here parses the event in an entry, so one bad entry cannot spoil its neighbours.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import orjson

from choreography.engine.delivery import LARGEST_READ, Overlong
from choreography.runtime.bodies.json_stream import LARGEST_VALUE, JsonStream, NotJsonError, parsed, text_of
from choreography.runtime.bodies.overlong import Keeping, Skipping

PACKED: Final = "application/vnd.choreography.packed+json"
"""The content type of an entry that is a pack: its event has the form of a batch and holds several messages.

A sidecar takes one delivery of a topic at a time from a component that is not in it; ours make up for that by packs."""

_OF_ENTRY: Final = frozenset({"entryId", "event", "metadata", "contentType"})
_OF_MESSAGE: Final = frozenset({"topic", "type", "source", "data_base64"})
_NOTHING: Final = b"null"


class BatchEntry(NamedTuple):
    """One entry of a batch.

    Attributes:
        entry_id: the id in its answer; None if it has no id, so that it cannot be answered.
        event: its bytes, as they were on the broker.
        metadata: the broker's metadata about it.
        problem: the reason why it is no valid entry, if it is none.
    """

    entry_id: str | None
    event: bytes | Overlong
    metadata: Mapping[str, Any]
    problem: str = ""


def entries_of(said: Any) -> Sequence[BatchEntry]:
    """Return an entry whose JSON is already parsed; for a pack, all of its entries, under the id of the pack."""
    entry = entry_of(said)
    return _unpacked(entry, said.get("contentType")) if isinstance(said, dict) else (entry,)


def entry_of(said: Any) -> BatchEntry:
    """Return one entry whose JSON is already parsed, without unpacking it."""
    if not isinstance(said, dict):
        return BatchEntry(None, bounded(orjson.dumps(said)), {}, "An entry of the batch is not a JSON object.")
    metadata = said.get("metadata")
    return BatchEntry(
        _entry_id(said.get("entryId")),
        bounded(event_bytes(said.get("event"))),
        metadata if isinstance(metadata, dict) else {},
    )


def _unpacked(entry: BatchEntry, content_type: object) -> Sequence[BatchEntry]:
    if content_type != PACKED or isinstance(entry.event, Overlong):
        return (entry,)
    whole = parsed(entry.event)
    held = whole.get("entries") if isinstance(whole, dict) else None
    if not held or not isinstance(held, list):
        # No pack: handled like any other event, and so quarantined. Without an answer it would be redelivered for ever.
        return (entry,)
    return [entry_of(one)._replace(entry_id=entry.entry_id) for one in held]


class ParsedBytes(bytes):
    """The bytes of an event that came as JSON inside a body, together with the parsed event.

    Attributes:
        parsed: the event.
    """

    parsed: Mapping[str, Any]

    def __new__(cls, parsed: Mapping[str, Any]) -> Self:
        """Encode the parsed event as bytes, and keep it."""
        self = super().__new__(cls, orjson.dumps(parsed))
        self.parsed = parsed
        return self


def event_bytes(event: Any) -> bytes:
    """Return an event as it was on the broker: the sidecar encodes bytes in base64, and passes JSON on as it is."""
    if isinstance(event, str):
        return decoded(event)
    return ParsedBytes(event) if isinstance(event, dict) else orjson.dumps(event)


def decoded(text: str) -> bytes:
    """Return the bytes that a text holds in base64, or the bytes of the text itself if it is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return text.encode()


def bounded(raw: bytes) -> bytes | Overlong:
    """Return the bytes of an event, or their placeholder if there are too many."""
    return raw if len(raw) <= LARGEST_READ else Overlong.of(raw)


class Message:
    """One request body, read while it arrives. Iterating over its entries reads all of it.

    Attributes:
        fields: the needed members that were read so far, as JSON text.
        is_batch: whether it has a list of entries.
    """

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._stream = JsonStream(parts)
        self.fields: dict[str, bytes | Overlong] = {}
        self.is_batch = False

    @property
    def topic(self) -> str | None:
        """The topic of the delivery; None until it was read."""
        return self.text("topic") if "topic" in self.fields else None

    @property
    def whole(self) -> bytes | Overlong:
        """All bytes that were read so far, or their placeholder."""
        whole = self._stream.whole
        return whole if isinstance(whole, Overlong) else bounded(whole)

    def text(self, name: str) -> str:
        """Return a member that is a text; an empty text if it is none."""
        return text_of(self.fields.get(name, _NOTHING))

    async def entries(self) -> AsyncIterator[BatchEntry]:
        """Split the batch into its entries.

        Raises:
            NotJsonError: the rest of the body is not JSON.
        """
        stream = self._stream
        await stream.skip_byte_order_mark()
        async for key in stream.keys():
            if key == "entries" and await stream.peek() == b"[":
                self.is_batch = True
                async for _ in stream.items():
                    for entry in await self._entries():
                        yield entry
            elif key in _OF_MESSAGE:
                self.fields[key] = await stream.value(Keeping(LARGEST_VALUE))
            else:
                await stream.value(Skipping())
        if await stream.peek():
            raise NotJsonError

    async def rest(self) -> bytes | Overlong:
        """Read the rest, valid or not; return the whole body, or its placeholder."""
        await self._stream.drain()
        return self.whole

    async def _entries(self) -> Sequence[BatchEntry]:
        stream = self._stream
        if await stream.peek() != b"{":
            return (_no_entry(await stream.value(Keeping(LARGEST_VALUE))),)
        if (at_hand := self._entries_at_hand()) is not None:
            return at_hand
        values: dict[str, bytes | Overlong] = {}
        async for key in stream.keys():
            if key in _OF_ENTRY:
                values[key] = await stream.value(Keeping(LARGEST_VALUE))
            else:
                await stream.value(Skipping())
        metadata = parsed(values.get("metadata", _NOTHING))
        entry = BatchEntry(
            _entry_id(parsed(values.get("entryId", _NOTHING))),
            _event(values.get("event", _NOTHING)),
            metadata if isinstance(metadata, dict) else {},
        )
        return _unpacked(entry, parsed(values.get("contentType", _NOTHING)))

    def _entries_at_hand(self) -> Sequence[BatchEntry] | None:
        """Return the content of the next entry if it has wholly arrived and is sound, as most are: that is quicker."""
        text = self._stream.object_at_hand()
        try:
            entries = entries_of(orjson.loads(text))
        except orjson.JSONDecodeError:
            return None
        self._stream.skip(len(text))
        return entries


def _event(value: bytes | Overlong) -> bytes | Overlong:
    if isinstance(value, Overlong):
        return value
    try:
        return bounded(event_bytes(orjson.loads(value)))
    except orjson.JSONDecodeError:
        return bounded(value)


def _no_entry(value: bytes | Overlong) -> BatchEntry:
    if not isinstance(value, Overlong):
        try:
            return entry_of(orjson.loads(value))
        except orjson.JSONDecodeError:
            value = bounded(value)
    return BatchEntry(None, value, {}, "An entry of the batch is not a JSON object.")


def _entry_id(said: Any) -> str:
    # The sidecar reads a missing id as an empty one, so the answer carries an empty id.
    if said is None:
        return ""
    return said if isinstance(said, str) else orjson.dumps(said).decode()
