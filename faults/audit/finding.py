"""What the auditor says about one rule."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["lost", "doubled", "unfinished", "pending", "wrong"]


class Finding(NamedTuple):
    """Whether a rule holds, who breaks it, and how much was looked at, so that looking at nothing shows."""

    rule: str
    kind: Kind
    looked_at: int
    offenders: list[str]

    @property
    def holds(self) -> bool:
        """Whether nobody breaks it, and somebody could have."""
        return not self.offenders and self.looked_at > 0
