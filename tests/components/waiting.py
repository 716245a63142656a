"""Waits for conditions that become true soon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(is_so: Callable[[], bool], within: float = 60.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within):
        while not is_so():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.05)


async def eventually_told(ask: Callable[[], Awaitable[bool]], within: float = 60.0) -> None:
    """Wait until an asynchronous check succeeds."""
    async with asyncio.timeout(within):
        while not await ask():  # noqa: ASYNC110 - it can only be asked
            await asyncio.sleep(0.1)
