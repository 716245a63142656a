"""The auditor's verdict on one rule."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["lost", "doubled", "unfinished", "pending", "wrong"]


class Finding(NamedTuple):
    """Whether a rule holds, what breaks it, and how many things were checked, so that an empty check is visible."""

    rule: str
    kind: Kind
    looked_at: int
    offenders: list[str]

    @property
    def holds(self) -> bool:
        """Whether nothing breaks the rule, and at least one thing was checked."""
        return not self.offenders and self.looked_at > 0
