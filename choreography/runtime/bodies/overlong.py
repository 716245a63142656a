"""Keeping a value while it arrives, or only its placeholder once it has grown too large."""

from __future__ import annotations

import binascii
import hashlib

from choreography.engine.delivery import BEGINNING, Overlong


class Keeping:
    """Keeps a JSON value as text up to a size; beyond it, only a digest, the size and the beginning."""

    def __init__(self, most: int) -> None:
        self._most, self._pieces, self._size = most, list[bytes](), 0
        self._digests: tuple[_Digest, _DecodedDigest] | None = None

    def add(self, piece: bytes) -> None:
        """Take the next part of its text."""
        self._size += len(piece)
        if self._digests is None:
            self._pieces.append(piece)
            if self._size <= self._most:
                return
            self._digests = (_Digest(), _DecodedDigest())
            piece = b"".join(self._pieces)
            self._pieces.clear()
        for digest in self._digests:
            digest.add(piece)

    def result(self) -> bytes | Overlong:
        """Return its text, or its placeholder; for a text in base64, that of the decoded bytes."""
        if self._digests is None:
            return b"".join(self._pieces)
        as_it_is, as_base64 = self._digests
        return as_base64.result() or as_it_is.result()


class Skipping:
    """Keeps nothing."""

    def add(self, piece: bytes) -> None:
        """Ignore the next part."""

    def result(self) -> bytes:
        """Return nothing."""
        return b""


class _Digest:
    def __init__(self) -> None:
        self._sha, self._size, self._beginning = hashlib.sha256(), 0, b""

    def add(self, piece: bytes) -> None:
        self._sha.update(piece)
        self._size += len(piece)
        if len(self._beginning) < BEGINNING:
            self._beginning += piece[: BEGINNING - len(self._beginning)]

    def result(self) -> Overlong:
        return Overlong(self._sha.hexdigest(), self._size, self._beginning)


class _DecodedDigest:
    """The digest of the bytes that a JSON string holds in base64, as long as the string can be base64."""

    def __init__(self) -> None:
        self._digest, self._rest, self._holds, self._begun, self._padded = _Digest(), b"", True, False, False

    def add(self, piece: bytes) -> None:
        if not self._holds:
            return
        if not self._begun:
            self._begun, self._holds, piece = True, piece.startswith(b'"'), piece[1:]
        text = self._rest + piece
        # The last character may be the closing quote, which is no part of the text.
        ready = max(0, (len(text) - 1) // 4 * 4)
        self._rest = text[ready:]
        self._decode(text[:ready])

    def result(self) -> Overlong | None:
        if self._holds and self._rest.endswith(b'"'):
            self._decode(self._rest[:-1])
            return self._digest.result() if self._holds else None
        return None

    def _decode(self, text: bytes) -> None:
        try:
            held = binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            self._holds = False
            return
        # Nothing may follow the padding.
        self._holds = not (self._padded and text)
        self._padded = self._padded or text.endswith(b"=")
        self._digest.add(held)
