"""The families of events: all versions of one event share a topic, which has the name of the family."""

from __future__ import annotations

import warnings
from typing import Final

_IGNORED: Final = (
    "{} names a topic, which is ignored: each family of events has a topic of its own, named as its wire type without "
    "the version. {}"
)


def family_of(wire_type: str) -> str:
    """Return the family of a type, ``order.created`` for ``order.created.v1``; empty if it has no version."""
    return wire_type.rpartition(".v")[0]


def warn_of_topic(what: str, advice: str, *, depth: int) -> None:
    """Warn the author of an event class or a service that the topic named there is ignored.

    Args:
        what: the class or service that names the topic.
        advice: a sentence that says what to write instead.
        depth: how many calls lie between the author's line and the caller.
    """
    warnings.warn(_IGNORED.format(what, advice), DeprecationWarning, stacklevel=depth + 2)
