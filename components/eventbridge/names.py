"""The names of rules and queues; a program that makes them beforehand must use the same names."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from .settings import Settings

_LONGEST: Final = 64  # of a rule; a queue may have 80
_DIGEST: Final = 10
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


def subscription_name(settings: Settings, topic: str) -> str:
    """Return the name of a subscription's rule and queue: ``<consumer>-<topic>-<digest>``.

    The digest separates names that read alike, such as ``a-b`` with topic ``c`` and ``a`` with topic ``b-c``, and
    subscriptions that differ only in the bus or in the source of their events: they would share a queue, and take each
    other's events.
    """
    identity = f"{settings.bus}\0{settings.source}\0{settings.consumer}\0{topic}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST]
    return f"{_OTHER.sub('-', f'{settings.consumer}-{topic}')[: _LONGEST - _DIGEST - 1]}-{digest}"


def former_name(consumer: str, topic: str) -> str:
    """Return the name of rule and queue up to version 0.1.0, which did not contain the bus."""
    wanted = f"{consumer}-{topic}"
    name = _OTHER.sub("-", wanted)
    if name == wanted and len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(f"{consumer}\0{topic}".encode()).hexdigest()[:_DIGEST]
    return f"{name[: _LONGEST - _DIGEST - 1]}-{digest}"


def own_type(name: str) -> str:
    """Return the detail type of an event for this subscription only, whatever other apps consume its topic."""
    return f"dapr.only/{name}"


def queue_name(wanted: str) -> str:
    """Return the queue name that a setting gives."""
    return _OTHER.sub("-", wanted)[:80]
