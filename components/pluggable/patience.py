"""Retries, with growing pauses, while the broker is away."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from .log import LOG

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 10.0

Result = TypeVar("Result")


def pause(attempt: int, longest: float = _LONGEST_PAUSE) -> float:
    """Return seconds until the next attempt: twice as long each time, with a random part that differs per component."""
    most = min(longest, _FIRST_PAUSE * 2.0 ** min(attempt, 20))
    return most * (0.5 + secrets.randbelow(1000) / 2000)


async def patiently(
    what: str,
    call: Callable[[], Awaitable[Result]],
    failures: tuple[type[BaseException], ...],
    explain: Callable[[BaseException], str],
) -> Result:
    """Retry until the broker answers. The first failure of each kind is logged, and the end of the failures.

    Args:
        what: the call, for the log, such as ``reading queue orders``.
        call: makes one attempt.
        failures: the errors after which to retry.
        explain: returns one line about an error.
    """
    attempt, told = 0, ""
    while True:
        try:
            result = await call()
        except failures as error:
            if (said := explain(error)) != told:
                LOG.warning("%s failed and is tried until it succeeds: %s", what, said)
                told = said
            await asyncio.sleep(pause(attempt))
            attempt += 1
        else:
            if attempt:
                LOG.info("%s succeeds again", what)
            return result
