"""Sends orders: as fast as they are accepted (closed loop), or at a fixed rate (open loop)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import cycle
from typing import Final

import orjson

from bench.client import Client
from bench.orders import Order

AT_ONCE: Final = 256
MOST_ORDERS: Final = 200_000
MOST_A_SECOND: Final = 5_000


class RefusedError(Exception):
    """An order was not accepted."""


class Load:
    """Sends orders to the replicas of the order service in turn, and remembers the sent order of each id."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._clients = [Client(address) for address in addresses]
        self._next = cycle(self._clients)
        self.sent: dict[str, Order] = {}
        self.began: dict[str, float] = {}

    async def place(self, orders: Sequence[Order]) -> None:
        """Send orders as fast as they are accepted, a bounded number at once."""
        _bounded(len(orders))
        waiting = iter(orders)

        async def customer() -> None:
            for order in waiting:
                await self._send(order, time.time())

        await asyncio.gather(*(customer() for _ in range(min(AT_ONCE, len(orders)))))

    async def pace(self, orders: Sequence[Order], a_second: float) -> None:
        """Send this many orders a second, however slow the answers are.

        An order begins when it should have been sent: a system that makes its customers queue is charged for their
        waiting time.
        """
        _bounded(len(orders), a_second)
        start_wall, start = time.time(), time.perf_counter()
        sending: list[asyncio.Task[None]] = []
        for index, order in enumerate(orders):
            due = index / a_second
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            sending.append(asyncio.create_task(self._send(order, start_wall + due)))
        await asyncio.gather(*sending)

    async def _send(self, order: Order, began: float) -> None:
        answer = await next(self._next).ask("POST", "/orders", order.body, order.key)
        if answer.status != 202:
            raise RefusedError(f"Order {order.number} was answered {answer.status}: {answer.body[:300]!r}")
        order_id = orjson.loads(answer.body)["order_id"]
        self.sent[order_id], self.began[order_id] = order, began

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()


def _bounded(count: int, a_second: float = 1) -> None:
    if count > MOST_ORDERS or not 0 < a_second <= MOST_A_SECOND:
        raise ValueError(f"At most {MOST_ORDERS} orders and {MOST_A_SECOND} a second are ever sent.")
