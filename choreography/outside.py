"""The interface by which an effect reaches the outside: one call, always with its idempotency key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from choreography.contracts import Value

LONGEST_TEXT: Final = 16 * 1024
"""How many characters of a text reply are kept."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A definite reply: the outside understood the request and answered it (2xx, or a 4xx that is its refusal).

    Attributes:
        status: its HTTP status.
        body: a JSON object as it was sent; ``{"value": ...}`` for any other JSON; ``{"text": ...}`` for text, HTML and
            JSON that cannot be read, with ``"cut": True`` beside it if only the beginning is kept; ``{}`` for an empty
            body.
    """

    status: int
    body: Mapping[str, Any]


class Outside(Protocol):
    """One call to one outside system, bound to the idempotency key of the intent it carries out.

    >>> class Greet(Intent):
    ...     guest_id: Id
    >>> class Greeted(Answer, type="guest.greeted.v1"):
    ...     guest_id: Id
    >>> door = Service("door")
    >>> @door.effect(outside="doorman")
    ... async def greet(wanted: Greet, doorman: Outside) -> Greeted:
    ...     await doorman.post("/greetings", wanted)
    ...     return Greeted(guest_id=wanted.guest_id)
    """

    async def post(self, path: str, body: Value) -> Reply:
        """Send ``body`` with the intent's Idempotency-Key.

        Raises:
            OutsideUnavailableError: no definite reply came (refused connection, time-out, 408, 425, 429, 5xx).
                The call is then made again with the same key.
            WrongAddressError: the reply is a redirect (3xx). The intent is then quarantined with that sentence, as only
                a person can put the address right.
        """
        ...
