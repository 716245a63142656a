"""A payment provider on its bad days."""

from __future__ import annotations

import asyncio
from typing import Any

from faults.replicated_flow import Stage


async def answers_500(stage: Stage) -> None:
    """Half of all attempts get a 500 before anything is charged."""
    await _for(stage, 8, error_rate=0.5)


async def slow(stage: Stage) -> None:
    """Every reply takes longer than a batch waits for it."""
    await _for(stage, 8, delay_ms=1500)


async def down(stage: Stage) -> None:
    """The provider charges and refunds nothing for a while."""
    await _for(stage, 8, down=True)


async def charges_then_hangs(stage: Stage) -> None:
    """Half of all charges are made, but their reply comes after the caller has given up."""
    await _for(stage, 8, hang_after_charge_rate=0.5, hang_ms=12_000)


async def _for(stage: Stage, seconds: float, **switches: Any) -> None:
    await stage.provider(**switches)
    try:
        await asyncio.sleep(seconds)
    finally:
        await stage.provider()
