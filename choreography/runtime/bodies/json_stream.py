"""JSON read while it arrives, by its structure alone: no value is parsed, and no value is kept that is too large."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from choreography.engine.delivery import Overlong
from choreography.runtime.bodies.overlong import Keeping, Skipping

LARGEST_VALUE: Final = 1024 * 1024
"""Bytes of JSON text: enough for every event, in base64 and with room to spare, that is not too large to be read."""

_LONGEST_KEY: Final = 256
_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_OPENED: Final = re.compile(rb"[\[{]+")
_CLOSED: Final = re.compile(rb"[\]}]+")
_IN_STRING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_FLAT: Final = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
"""The longest run of bytes without a bracket, whole strings included."""
_SCALAR: Final = re.compile(rb"[^\s,\]}\"\[{:]*")


class NotJsonError(Exception):
    """The arriving text is not JSON, or ends in the middle of it."""


class JsonStream:
    """A JSON text that arrives in parts."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts, self._buffer, self._at = parts, b"", 0
        self._whole = Keeping(LARGEST_VALUE)

    @property
    def whole(self) -> bytes | Overlong:
        """All bytes that were read so far, or their placeholder."""
        return self._whole.result()

    async def drain(self) -> None:
        """Read on to the end, whether the rest is valid or not."""
        while await self._more():
            pass

    async def peek(self) -> bytes:
        """Return the next byte that is no white space, without taking it; empty bytes at the end."""
        while True:
            self._at = _end(_SPACE, self._buffer, self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not await self._more():
                return b""

    async def skip_byte_order_mark(self) -> None:
        """Skip the byte order mark that some systems put before UTF-8."""
        while len(self._buffer) < 3 and await self._more(keep=self._buffer):
            pass
        if self._buffer.startswith(b"\xef\xbb\xbf"):
            self._at = 3

    async def expect(self, sign: bytes) -> None:
        """Take the next byte that is no white space.

        Raises:
            NotJsonError: it is a different byte.
        """
        if await self.peek() != sign:
            raise NotJsonError
        self._at += 1

    async def keys(self) -> AsyncIterator[str]:
        """Read the next value, an object, and yield its keys; the caller reads the value after each key."""
        await self.expect(b"{")
        while (sign := await self.peek()) != b"}":
            if sign != b'"':
                raise NotJsonError
            key = await self.value(Keeping(_LONGEST_KEY))
            await self.expect(b":")
            yield text_of(key)
            await self._comma_before(b"}")
        self._at += 1

    async def items(self) -> AsyncIterator[None]:
        """Read the next value, a list; the caller reads each item."""
        await self.expect(b"[")
        while await self.peek() != b"]":
            yield
            await self._comma_before(b"]")
        self._at += 1

    async def value(self, into: Keeping | Skipping) -> bytes | Overlong:
        """Read a value.

        Raises:
            NotJsonError: there is no value, or it has no end.
        """
        sign = await self.peek()
        if sign == b'"':
            await self._string(into)
        elif sign in (b"{", b"["):
            await self._nested(into)
        else:
            await self._scalar(into)
        return into.result()

    def object_at_hand(self) -> bytes:
        """Return the next object without taking it; empty bytes if not all of it has arrived."""
        end = _end_of_object(self._buffer, self._at)
        return self._buffer[self._at : end] if 0 <= end - self._at <= LARGEST_VALUE else b""

    def skip(self, size: int) -> None:
        """Skip so many bytes of the buffer."""
        self._at += size

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
            # An escape at the very end escapes the first byte of the next part.
            escaped = max(0, len(self._buffer) - self._at)
            into.add(self._buffer[begun:])
            await self._need_more()
            begun, self._at = 0, escaped

    async def _nested(self, into: Keeping | Skipping) -> None:
        """Read an object or a list to its end. Only brackets are counted; all other checks are left to its reader."""
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

    async def _comma_before(self, end: bytes) -> None:
        sign = await self.peek()
        if sign == b",":
            self._at += 1
        elif sign != end:
            raise NotJsonError

    async def _need_more(self) -> None:
        if not await self._more():
            raise NotJsonError

    async def _more(self, keep: bytes = b"") -> bool:
        """Replace the buffer, which was read to its end, by the next part; return False if there is none."""
        async for part in self._parts:
            if part:
                self._whole.add(part)
                self._buffer, self._at = keep + part, 0
                return True
        return False


def _end(pattern: re.Pattern[bytes], buffer: bytes, at: int) -> int:
    """Return where the longest match from here on ends; the present position if nothing matches."""
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


def parsed(value: bytes | Overlong) -> Any:
    """Return the value of a JSON text; None if it cannot be parsed."""
    try:
        return orjson.loads(value) if isinstance(value, bytes) else None
    except orjson.JSONDecodeError:
        return None


def text_of(value: bytes | Overlong) -> str:
    """Return the text of a JSON string; an empty text if it is no string."""
    said = parsed(value)
    return said if isinstance(said, str) else ""
