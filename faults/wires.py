"""Faults of the connections between services or sidecars and their servers."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from faults.crashes import Harm
from faults.proxy import Mood, Proxy
from faults.replicated_flow import REDELIVERED_AFTER, Stage

Which = Literal["store", "broker"]

_TELLING: Final = {"store": (b'{"v":', b"commit", b"COMMIT"), "broker": (b"xadd", b"XADD", b"xack", b"XACK")}
"""Requests whose answer matters most: was it committed, was it published, was it acknowledged?

A service that writes to PostgreSQL itself says no ``COMMIT``: its one statement holds the records of entities.
"""


def cut(which: Which) -> Harm:
    """Every connection breaks, and no new one succeeds for a while; this happens three times."""

    async def harm(stage: Stage) -> None:
        proxy = _proxy(stage, which)
        try:
            for _ in range(3):
                proxy.behave("refuses")
                await asyncio.sleep(1.5)
                proxy.behave()
                await asyncio.sleep(1)
        finally:
            proxy.behave()

    return harm


def late(which: Which, by: float) -> Harm:
    """Everything arrives, but late."""
    return _until_redelivered(which, "late", late=by)


def silent(which: Which) -> Harm:
    """Nothing arrives and nothing breaks, for longer than the broker waits; then everything arrives at once."""
    return _until_redelivered(which, "silent")


def _until_redelivered(which: Which, mood: Mood, **more: float) -> Harm:
    async def harm(stage: Stage) -> None:
        proxy = _proxy(stage, which)
        proxy.behave(mood, **more)
        try:
            await asyncio.sleep(REDELIVERED_AFTER + 1)
        finally:
            proxy.behave()

    return harm


def loses_answers(which: Which) -> Harm:
    """The server executes the request, and the connection breaks before the response."""

    async def harm(stage: Stage) -> None:
        proxy = _proxy(stage, which)
        before = proxy.lost_answers
        proxy.behave("loses answers", share=0.02, telling=_TELLING[which])
        try:
            await asyncio.sleep(8)
        finally:
            proxy.behave()
        if proxy.lost_answers == before:
            raise RuntimeError(f"No answer of the {which} was lost, so this fault was none.")

    return harm


def _proxy(stage: Stage, which: Which) -> Proxy:
    return stage.store if which == "store" else stage.broker
