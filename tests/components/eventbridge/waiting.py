"""Waits for what will be true soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def eventually(is_so: Callable[[], bool], within: float = 30.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within):
        while not is_so():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.05)
