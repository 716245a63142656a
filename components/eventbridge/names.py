"""What rules and queues are called; whoever makes them beforehand must use the same names."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from .settings import Settings

_LONGEST: Final = 64  # of a rule; a queue may have 80
_DIGEST: Final = 10
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


def subscription_name(settings: Settings, topic: str) -> str:
    """The name of both the rule and the queue by which a consumer hears a topic: ``<consumer>-<topic>-<digest>``.

    The digest keeps apart what reads alike, such as ``a-b`` hearing ``c`` and ``a`` hearing ``b-c``, and what differs
    in the bus or in the source of its events only: they would share a queue, and take each other's events.
    """
    identity = f"{settings.bus}\0{settings.source}\0{settings.consumer}\0{topic}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST]
    return f"{_OTHER.sub('-', f'{settings.consumer}-{topic}')[: _LONGEST - _DIGEST - 1]}-{digest}"


def former_name(consumer: str, topic: str) -> str:
    """The name that rule and queue had up to version 0.1.0, which named no bus."""
    wanted = f"{consumer}-{topic}"
    name = _OTHER.sub("-", wanted)
    if name == wanted and len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(f"{consumer}\0{topic}".encode()).hexdigest()[:_DIGEST]
    return f"{name[: _LONGEST - _DIGEST - 1]}-{digest}"


def own_type(name: str) -> str:
    """The detail type of an event for this subscription alone, whoever else hears its topic."""
    return f"dapr.only/{name}"


def queue_name(wanted: str) -> str:
    """The name of a queue that a setting names."""
    return _OTHER.sub("-", wanted)[:80]
