"""The fates of deliveries. Each delivery ends in exactly one fate, so that the counts of all fates add up."""

from __future__ import annotations

from enum import StrEnum


class Fate(StrEnum):
    """How one delivery ended: deliveries in = settled + repeated + quarantined + too old + ignored + again.

    Attributes:
        SETTLED: its reactions ran, and their decisions are committed and released.
        REPEATED: it had been settled before; its recorded outcome was released again.
        QUARANTINED: it cannot be run. A record keeps it with the reason, and a dead letter says so.
        TOO_OLD: it is older than every outcome, and a recent dead letter about such an event covers it.
        IGNORED: this service does not consume its type.
        AGAIN: it was answered RETRY, so it will be delivered again, and counted again.
    """

    SETTLED = "settled"
    REPEATED = "repeated"
    QUARANTINED = "quarantined"
    TOO_OLD = "too_old"
    IGNORED = "ignored"
    AGAIN = "again"

    @property
    def done(self) -> bool:
        """Whether the delivery may be acknowledged."""
        return self is not Fate.AGAIN
