"""What an effect may use to reach the outside: one call, always carrying its idempotency key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from choreography.contracts import Value


@dataclass(frozen=True, slots=True)
class Reply:
    """A definite reply: the outside understood the request and answered it (2xx, or a 4xx that is its refusal)."""

    status: int
    body: Mapping[str, Any]


class Outside(Protocol):
    """One call to one outside system, bound to the idempotency key of the intent it carries out."""

    async def post(self, path: str, body: Value) -> Reply:
        """Send ``body`` with the intent's Idempotency-Key.

        Raises:
            OutsideUnavailableError: no definite reply came (refused connection, time-out, 408, 425, 429, 5xx).
                The delivery is then retried with the same key.
        """
        ...
