"""What rules and queues are called; whoever makes them beforehand must use the same names."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_LONGEST: Final = 64  # of a rule; a queue may have 80
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


def subscription_name(consumer: str, topic: str) -> str:
    """The name of both the rule and the queue by which `consumer` hears `topic`: ``<consumer>-<topic>``.

    What AWS does not take in a name becomes a dash, what is too long is cut, and a digest keeps the result unique.
    """
    wanted = f"{consumer}-{topic}"
    name = _OTHER.sub("-", wanted)
    if name == wanted and len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(f"{consumer}\0{topic}".encode()).hexdigest()[:10]
    return f"{name[: _LONGEST - 11]}-{digest}"


def queue_name(wanted: str) -> str:
    """The name of a queue that a setting names."""
    return _OTHER.sub("-", wanted)[:80]
