"""Ids and keys. Incoming ids are hostile; outgoing ids are derived, so that a repeat has the same id for ever."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from choreography.errors import InvalidEventError

LONGEST_ID: Final = 256

_NEEDED: Final = {
    "id": "so a repeat of it could not be recognised",
    "type": "so nobody can tell which contract it follows",
    "source": "so nobody can tell who says it",
}

_HOSTILE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")
"""Control characters cut keys short; surrogates (which sidecars turn into U+FFFD) make two keys equal."""


def valid_id(text: object, what: str) -> str:
    """Return ``text`` if it can serve as an id.

    Raises:
        InvalidEventError: the id is no text, is empty or too long, or holds characters that stores confuse.
    """
    if text is None or text == "":
        raise InvalidEventError(f"The event has no {what}, {_NEEDED.get(what, 'which it needs')}.")
    if not isinstance(text, str):
        raise InvalidEventError(f"The event's {what} is not a text but {str(text)[:64]}, so nobody can go by it.")
    if len(text) > LONGEST_ID:
        raise InvalidEventError(
            f"The event's {what} has {len(text)} characters; at most {LONGEST_ID} are safe in a store."
        )
    # A printable ASCII text, as nearly every id is, needs no search for the exceptions.
    if not (text.isascii() and text.isprintable()) and _HOSTILE.search(text):
        raise InvalidEventError(f"The event's {what} {text!r} holds characters that stores and brokers confuse.")
    return text


def derived_id(*parts: str) -> str:
    """Return the id that is derived from ``parts``, the same on every replica and every retry: 32 hex digits."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def hashed(text: str) -> str:
    """Return the SHA-256 of ``text``. No id, however long or odd, can break a key made of this."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Key(NamedTuple):
    """The key of one record: its service, its kind and its id. Each store writes a key in its own way.

    Attributes:
        service: the service that keeps the record.
        kind: the kind of an entity, or of a record of the library itself.
        logical_id: the id of the entity or event, or another text that distinguishes records of one kind.
    """

    service: str
    kind: str
    logical_id: str

    def __str__(self) -> str:
        """Return the key as a short and harmless text, for a store whose keys are single texts."""
        return _text_of(self)


@lru_cache(maxsize=8192)
def _text_of(key: Key) -> str:
    return f"{key.service}.{key.kind}.{hashed(key.logical_id)}"


OUTCOME: Final = "outcome"
POSTED: Final = "to-publish"
"""The kind of a note of an event that an application publishes in a transaction of its own."""


def outcome_key(service: str, event_id: str) -> Key:
    """Return the key of an outcome that is stored apart from its entity."""
    return Key(service, OUTCOME, event_id)


def accepted_key(service: str, event_id: str) -> Key:
    """Return the key under which an accepted command is stored until its event has an outcome."""
    return Key(service, "accepted", event_id)


def accepted_about_key(service: str, subject: str) -> Key:
    """Return the key under which accepted commands are listed by subject, until the subject exists."""
    return Key(service, "accepted-about", subject)


def intent_key(service: str, answer_id: str) -> Key:
    """Return the key under which an intent is noted until it is answered."""
    return Key(service, "intent", answer_id)


@lru_cache(maxsize=8192)
def event_key(event_id: str) -> str:
    """Return the name under which an entity's record holds the outcome of an event."""
    return hashed(event_id)[:32]


def digest_of(wire_type: str, source: str, subject: str, data: Any) -> str:
    """Return the digest of an event's data, which does not depend on the order of its fields."""
    canonical = orjson.dumps([wire_type, source, subject, data], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


def digest_of_bytes(raw: bytes) -> str:
    """Return the digest of bytes, the id of a delivery that has no valid id of its own."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()
