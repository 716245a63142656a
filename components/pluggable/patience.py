"""Trying again, with growing pauses, for as long as the broker is away."""

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
    """Seconds to wait before the next attempt: twice as long each time, and never the same for two components."""
    most = min(longest, _FIRST_PAUSE * 2.0 ** min(attempt, 20))
    return most * (0.5 + secrets.randbelow(1000) / 2000)


async def patiently(
    what: str,
    call: Callable[[], Awaitable[Result]],
    failures: tuple[type[BaseException], ...],
    explain: Callable[[BaseException], str],
) -> Result:
    """Try until the broker answers. The first failure of each kind is logged, and the end of them.

    Args:
        what: what is tried, for the log, such as ``reading queue orders``.
        call: tries once.
        failures: what it raises when it is to be tried again.
        explain: says a failure in one line.
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
