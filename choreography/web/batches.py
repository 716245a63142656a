"""Reading what the sidecar posts as a stream, so that no size of a request, and nothing in it, fails it as a whole.

A batch is split into its entries while it arrives. An entry that is too large is never kept whole: its digest, its size
and its beginning stand for it. Nothing here parses what an entry says, so one bad entry cannot spoil its neighbours.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from choreography.engine.delivery import LARGEST_READ, Overlong
from choreography.web.overlong import Keeping, Skipping

LARGEST_VALUE: Final = 1024 * 1024
"""Bytes of JSON text. It holds, in base64 and with room to spare, every event that is not too large to be read."""

_LONGEST_KEY: Final = 256
_OF_ENTRY: Final = frozenset({"entryId", "event", "metadata"})
_OF_MESSAGE: Final = frozenset({"topic", "type", "source", "data_base64"})
_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_OPENED: Final = re.compile(rb"[\[{]+")
_CLOSED: Final = re.compile(rb"[\]}]+")
_IN_STRING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_FLAT: Final = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
"""As much as holds no bracket, whole strings included."""
_SCALAR: Final = re.compile(rb"[^\s,\]}\"\[{:]*")
_NOTHING: Final = b"null"


class Entry(NamedTuple):
    """One entry of a batch.

    Attributes:
        entry_id: by which it is answered; None if it can be answered by nothing.
        event: its bytes, as they were on the broker.
        metadata: what the broker says about it.
        problem: why it is no entry at all, if it is none.
    """

    entry_id: str | None
    event: bytes | Overlong
    metadata: Mapping[str, Any]
    problem: str = ""


class NotJsonError(Exception):
    """What arrived is not JSON, or ends in the middle of it."""


def entry_of(parsed: Any) -> Entry:
    """Return one entry whose JSON is already parsed."""
    if not isinstance(parsed, dict):
        return Entry(None, bounded(orjson.dumps(parsed)), {}, "An entry of the batch is not a JSON object.")
    metadata = parsed.get("metadata")
    return Entry(
        _entry_id(parsed.get("entryId")),
        bounded(event_bytes(parsed.get("event"))),
        metadata if isinstance(metadata, dict) else {},
    )


def event_bytes(event: Any) -> bytes:
    """Return an event as it was on the broker: the sidecar hands bytes over in base64, and JSON as it is."""
    return decoded(event) if isinstance(event, str) else orjson.dumps(event)


def decoded(text: str) -> bytes:
    """Return the bytes that a text holds in base64, or its own if it holds none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return text.encode()


def bounded(raw: bytes) -> bytes | Overlong:
    """Return the bytes of an event, or what stands for them if there are too many."""
    return raw if len(raw) <= LARGEST_READ else Overlong.of(raw)


class Message:
    """One request body, read while it arrives. Iterating over its entries reads all of it.

    Attributes:
        fields: those of its own members that are needed and were read so far, as JSON text.
        is_batch: it has a list of entries.
    """

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts, self._buffer, self._at = parts, b"", 0
        self._whole = Keeping(LARGEST_VALUE)
        self.fields: dict[str, bytes | Overlong] = {}
        self.is_batch = False

    @property
    def topic(self) -> str | None:
        """By which topic it came; None as long as that was not read."""
        return self.text("topic") if "topic" in self.fields else None

    @property
    def whole(self) -> bytes | Overlong:
        """All that was read so far, or what stands for it."""
        whole = self._whole.result()
        return whole if isinstance(whole, Overlong) else bounded(whole)

    def text(self, name: str) -> str:
        """Return a member that is a text; nothing if it is none."""
        return text_of(self.fields.get(name, _NOTHING))

    async def entries(self) -> AsyncIterator[Entry]:
        """Split it.

        Raises:
            NotJsonError: it is not JSON from here on.
        """
        await self._skip_byte_order_mark()
        await self._expect(b"{")
        async for key in self._keys():
            if key == "entries" and await self._peek() == b"[":
                self.is_batch = True
                await self._expect(b"[")
                while await self._peek() != b"]":
                    yield await self._entry()
                    if await self._peek() == b",":
                        self._at += 1
                    elif await self._peek() != b"]":
                        raise NotJsonError
                self._at += 1
            elif key in _OF_MESSAGE:
                self.fields[key] = await self._value(Keeping(LARGEST_VALUE))
            else:
                await self._value(Skipping())
        if await self._peek():
            raise NotJsonError

    async def rest(self) -> bytes | Overlong:
        """Read on to the end, whatever comes; return all of it, or what stands for it."""
        while await self._more():
            pass
        return self.whole

    async def _entry(self) -> Entry:
        sign = await self._peek()
        if sign == b"{" and (at_hand := self._entry_at_hand()):
            return at_hand
        if sign != b"{":
            return _no_entry(await self._value(Keeping(LARGEST_VALUE)))
        self._at += 1
        values: dict[str, bytes | Overlong] = {}
        async for key in self._keys():
            if key in _OF_ENTRY:
                values[key] = await self._value(Keeping(LARGEST_VALUE))
            else:
                await self._value(Skipping())
        metadata = _parsed(values.get("metadata", _NOTHING))
        return Entry(
            _entry_id(_parsed(values.get("entryId", _NOTHING))),
            _event(values.get("event", _NOTHING)),
            metadata if isinstance(metadata, dict) else {},
        )

    def _entry_at_hand(self) -> Entry | None:
        """Return the next entry if all of it has arrived and is sound, as most are: that is quicker to read."""
        end = _end_of_object(self._buffer, self._at)
        if not 0 <= end - self._at <= LARGEST_VALUE:
            return None
        try:
            parsed = orjson.loads(self._buffer[self._at : end])
        except orjson.JSONDecodeError:
            return None
        self._at = end
        return entry_of(parsed)

    async def _keys(self) -> AsyncIterator[str]:
        """Read the keys of an object that has begun; whoever iterates reads the values."""
        while (sign := await self._peek()) != b"}":
            if sign != b'"':
                raise NotJsonError
            key = await self._value(Keeping(_LONGEST_KEY))
            await self._expect(b":")
            yield text_of(key)
            if await self._peek() == b",":
                self._at += 1
            elif await self._peek() != b"}":
                raise NotJsonError
        self._at += 1

    async def _value(self, into: Keeping | Skipping) -> bytes | Overlong:
        sign = await self._peek()
        if sign == b'"':
            await self._string(into)
        elif sign in (b"{", b"["):
            await self._nested(into)
        else:
            await self._scalar(into)
        return into.result()

    async def _string(self, into: Keeping | Skipping) -> None:
        """Read a string, whose opening quote is next."""
        begun = self._at
        self._at += 1
        while True:
            self._at = _end(_IN_STRING, self._buffer, self._at)
            if self._buffer.startswith(b'"', self._at):
                self._at += 1
                into.add(self._buffer[begun : self._at])
                return
            # What an escape at the very end escapes is the first byte of the next part.
            escaped = max(0, len(self._buffer) - self._at)
            into.add(self._buffer[begun:])
            await self._need_more()
            begun, self._at = 0, escaped

    async def _nested(self, into: Keeping | Skipping) -> None:
        """Read an object or a list to its end. Only brackets are counted: the rest is the business of its reader."""
        depth, begun = 0, self._at
        while True:
            self._at = _end(_FLAT, self._buffer, self._at)
            if self._at >= len(self._buffer):
                into.add(self._buffer[begun:])
                await self._need_more()
                begun = 0
            elif self._buffer.startswith(b'"', self._at):
                into.add(self._buffer[begun : self._at])
                await self._string(into)
                begun = self._at
            elif opened := _OPENED.match(self._buffer, self._at):
                depth += len(opened.group())
                self._at = opened.end()
            else:
                closed = min(depth, _end(_CLOSED, self._buffer, self._at) - self._at)
                depth -= closed
                self._at += closed
                if depth == 0:
                    into.add(self._buffer[begun : self._at])
                    return

    async def _scalar(self, into: Keeping | Skipping) -> None:
        size = 0
        while True:
            begun, self._at = self._at, _end(_SCALAR, self._buffer, self._at)
            into.add(self._buffer[begun : self._at])
            size += self._at - begun
            if self._at < len(self._buffer) or not await self._more():
                break
        if not size:
            raise NotJsonError

    async def _peek(self) -> bytes:
        """Return the next byte that is no white space, without taking it; nothing at the end."""
        while True:
            self._at = _end(_SPACE, self._buffer, self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not await self._more():
                return b""

    async def _expect(self, sign: bytes) -> None:
        if await self._peek() != sign:
            raise NotJsonError
        self._at += 1

    async def _skip_byte_order_mark(self) -> None:
        while len(self._buffer) < 3 and await self._more(keep=self._buffer):
            pass
        if self._buffer.startswith(b"\xef\xbb\xbf"):
            self._at = 3

    async def _need_more(self) -> None:
        if not await self._more():
            raise NotJsonError

    async def _more(self, keep: bytes = b"") -> bool:
        """Exchange the buffer, which was read to its end, for the next part; False if there is none."""
        async for part in self._parts:
            if part:
                self._whole.add(part)
                self._buffer, self._at = keep + part, 0
                return True
        return False


def _end(pattern: re.Pattern[bytes], buffer: bytes, at: int) -> int:
    """Return where the longest match from here on ends; here, if nothing matches."""
    found = pattern.match(buffer, at)
    return found.end() if found else at


def _end_of_object(buffer: bytes, at: int) -> int:
    """Return where an object that begins here ends; -1 if its end has not arrived."""
    depth = 0
    while True:
        at = _end(_FLAT, buffer, at)
        sign = buffer[at : at + 1]
        if sign not in (b"{", b"[", b"}", b"]"):
            return -1
        at += 1
        depth += 1 if sign in (b"{", b"[") else -1
        if depth == 0:
            return at


def _event(value: bytes | Overlong) -> bytes | Overlong:
    if isinstance(value, Overlong):
        return value
    try:
        return bounded(event_bytes(orjson.loads(value)))
    except orjson.JSONDecodeError:
        return bounded(value)


def _no_entry(value: bytes | Overlong) -> Entry:
    if not isinstance(value, Overlong):
        try:
            return entry_of(orjson.loads(value))
        except orjson.JSONDecodeError:
            value = bounded(value)
    return Entry(None, value, {}, "An entry of the batch is not a JSON object.")


def _entry_id(parsed: Any) -> str:
    # The sidecar reads a missing id as an empty one, so that is what it is answered by.
    if parsed is None:
        return ""
    return parsed if isinstance(parsed, str) else orjson.dumps(parsed).decode()


def _parsed(value: bytes | Overlong) -> Any:
    try:
        return orjson.loads(value) if isinstance(value, bytes) else None
    except orjson.JSONDecodeError:
        return None


def text_of(value: bytes | Overlong) -> str:
    """Return what a JSON string says; nothing if it is none."""
    parsed = _parsed(value)
    return parsed if isinstance(parsed, str) else ""
