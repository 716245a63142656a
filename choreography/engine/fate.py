"""What becomes of a delivery. Each delivery ends in exactly one fate, so that whoever adds them up misses none."""

from __future__ import annotations

from enum import StrEnum


class Fate(StrEnum):
    """How one delivery ended: deliveries in = settled + repeated + quarantined + too old + ignored + again.

    Attributes:
        SETTLED: its reactions ran, and what they decided is committed and released.
        REPEATED: it had been settled before; what its outcome recorded was released again.
        QUARANTINED: it cannot be run. A record keeps it with the reason, and a dead letter says so.
        TOO_OLD: it is older than every outcome, and a dead letter about one of its kind has just said so.
        IGNORED: its type is none of this service's business.
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
