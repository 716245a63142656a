"""Watches from outside how orders end, second by second, without any question to the services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sized
from dataclasses import dataclass, field
from typing import Final, Literal

import orjson

from apps.checkout.contracts import OrderCancelled, OrderCompleted
from faults.replicated_flow import NAMES, Broker, follow

ENDS: Final[dict[str, Literal["completed", "cancelled"]]] = {
    "order.completed.v1": "completed",
    "order.cancelled.v1": "cancelled",
}


@dataclass
class Suffered:
    """One fault, its time, and its result."""

    name: str
    kind: str
    began: float
    ended: float = 0.0
    skipped: str = ""


@dataclass
class Watch:
    """The observations, with times in seconds since the watch began.

    Attributes:
        ends: order ids with the first published end, and its time.
        seconds: how many orders had been sent, and how many had ended, after each second.
    """

    began: float = field(default_factory=time.monotonic)
    ends: dict[str, tuple[str, float]] = field(default_factory=dict)
    seconds: list[tuple[float, int, int]] = field(default_factory=list)
    faults: list[Suffered] = field(default_factory=list)

    @property
    def now(self) -> float:
        """Seconds since the watch began."""
        return time.monotonic() - self.began

    async def ends_of_orders(self, client: Broker) -> None:
        """Watch orders end, as any subscriber of the topic can."""
        async for _, _, fields in follow(
            client, [NAMES.on_broker(event.topic) for event in (OrderCompleted, OrderCancelled)]
        ):
            raw = fields.get(b"data", b"")
            if b'"order.c' not in raw:
                continue
            try:
                event = orjson.loads(raw)
                how = ENDS.get(event["type"])
                if how is not None:
                    self.ends.setdefault(event["data"]["order_id"], (how, self.now))
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue

    async def each_second(self, sent: Sized) -> None:
        """Record the figures of each second."""
        while True:
            self.seconds.append((self.now, len(sent), len(self.ends)))
            await asyncio.sleep(1)

    def per_second(self, over: float = 5.0) -> tuple[float, float]:
        """The recent numbers of orders sent and ended per second."""
        if len(self.seconds) < 2:
            return 0.0, 0.0
        newest = self.seconds[-1]
        oldest = next(one for one in self.seconds if one[0] >= newest[0] - over)
        span = max(1.0, newest[0] - oldest[0])
        return (newest[1] - oldest[1]) / span, (newest[2] - oldest[2]) / span
