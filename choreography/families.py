"""The families of events: all versions of one event share a topic, which is named as the family is."""

from __future__ import annotations

import warnings
from typing import Final

_IGNORED: Final = (
    "{} names a topic, which is ignored: each family of events has a topic of its own, named as its wire type without "
    "the version. {}"
)


def family_of(wire_type: str) -> str:
    """Return the family of an event, ``order.created`` for ``order.created.v1``; nothing for what has no version."""
    return wire_type.rpartition(".v")[0]


def warn_of_topic(what: str, advice: str, *, depth: int) -> None:
    """Say to the author of a class line or of a service that the topic named there is ignored.

    Args:
        what: what names it.
        advice: what to write instead, as a sentence.
        depth: how many calls lie between the author's line and the caller.
    """
    warnings.warn(_IGNORED.format(what, advice), DeprecationWarning, stacklevel=depth + 2)
