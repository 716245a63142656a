"""The switches that make the provider misbehave, in a way that can be repeated."""

from collections import OrderedDict
from hashlib import sha256
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LARGEST_AMOUNT = 2**53 - 1
"""The largest integer every JSON reader keeps exactly."""

LONGEST_PAUSE = 600_000
REMEMBERED_KEYS = 200_000

Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Milliseconds = Annotated[int, Field(strict=True, ge=0, le=LONGEST_PAUSE)]


class Faults(BaseModel):
    """Which faults are switched on. What a PUT leaves out is switched off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decline_above: Annotated[int, Field(strict=True, ge=0, le=LARGEST_AMOUNT)] | None = Field(
        default=None, description="Decline every charge of more than this many minor units."
    )
    decline_rate: Rate = Field(default=0, description="The share of charges to decline; a retry is declined again.")
    delay_ms: Milliseconds = Field(default=0, description="How long to wait before doing anything.")
    error_rate: Rate = Field(default=0, description="The share of attempts that get a 500 before anything happens.")
    hang_after_charge_rate: Rate = Field(
        default=0, description="The share of charges that are made and then answered only after hang_ms."
    )
    hang_ms: Milliseconds = Field(default=0, description="How late those answers are.")
    down: bool = Field(default=False, description="Answer 503 to every charge and refund.")

    def reason_to_decline(self, key: str, amount: int) -> str | None:
        """Say why this charge is declined, if it is; another attempt hears the same."""
        if self.decline_above is not None and amount > self.decline_above:
            return "the amount is above the card's limit"
        if _hits(self.decline_rate, "decline", key):
            return "the bank declined the card"
        return None

    def breaks(self, key: str, attempt: int) -> bool:
        """Whether this attempt fails before anything happens."""
        return _hits(self.error_rate, "error", key, attempt)

    def hangs(self, key: str, attempt: int) -> bool:
        """Whether this attempt charges and then keeps its caller waiting."""
        return _hits(self.hang_after_charge_rate, "hang", key, attempt)


class Attempts:
    """Counts how often each key was tried; forgets the keys that were not seen for longest."""

    def __init__(self, remembered: int = REMEMBERED_KEYS) -> None:
        self._remembered = remembered
        self._counts: OrderedDict[str, int] = OrderedDict()

    def count(self, key: str) -> int:
        """Return the number of this attempt, the first being 1."""
        number = self._counts.pop(key, 0) + 1
        self._counts[key] = number
        if len(self._counts) > self._remembered:
            self._counts.popitem(last=False)
        return number


def _hits(rate: float, fault: str, *parts: str | int) -> bool:
    """Decide by a hash, so that the same run meets the same faults."""
    if rate <= 0:
        return False
    text = "\0".join((fault, *map(str, parts)))
    # 53 bits are all a float holds, so the fraction is below 1 and a rate of 1 always hits.
    fraction = (int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 11) / 2**53
    return fraction < rate
