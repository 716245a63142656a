"""The customers: a bounded stream of orders at a fixed rate, however slow the shop is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

CARD_LIMIT: Final = 100_000
SHELVES: Final = ("apron", "basket", "candle", "duvet", "easel", "fountain-pen", "globe", "hammock")
HOT: Final = "limited-edition"
PLENTY: Final = 100_000_000

_PATIENCE: Final = 150.0
_OPEN: Final = 250
"""Customers who see so many orders stand open come back later: a machine that is too slow for the rate must not be
buried, or the run would measure nothing but that."""
_ATTEMPT: Final = aiohttp.ClientTimeout(total=12)


@dataclass
class Ordered:
    """One order, and the knowledge of its customer."""

    key: str
    body: dict[str, Any]
    cancels_after: float | None
    sent_at: float = 0.0
    accepted_at: float | None = None
    order_ids: set[str] = field(default_factory=set)
    refused: str = ""

    @property
    def total(self) -> int:
        """The expected price."""
        return sum(int(line["quantity"]) * int(line["unit_price"]) for line in self.body["lines"])

    @property
    def lines(self) -> dict[str, int]:
        """The quantity of each product."""
        wanted: dict[str, int] = {}
        for line in self.body["lines"]:
            wanted[line["sku"]] = wanted.get(line["sku"], 0) + int(line["quantity"])
        return wanted


class Customers:
    """Sends orders at a rate, to any replica that answers, with one key per order until it is accepted."""

    def __init__(self, session: aiohttp.ClientSession, doors: Sequence[str], chance: random.Random, run: str) -> None:
        self._session, self._doors, self._chance, self._run = session, doors, chance, run
        self._under_way: set[asyncio.Task[None]] = set()
        self.orders: list[Ordered] = []
        self.accepted = 0
        self.asked_again = 0
        self.came_back_later = 0
        self.enough = asyncio.Event()

    async def order(self, per_second: float, least: int, most: int, ended: Sized) -> None:
        """Order until the task is cancelled or the limit is reached; `ended` holds the orders that have ended."""
        loop = asyncio.get_running_loop()
        following = loop.time()
        while len(self.orders) < most:
            if len(self.orders) >= least:
                self.enough.set()
            following += 1 / per_second
            await asyncio.sleep(max(0.0, following - loop.time()))
            if len(self.orders) - len(ended) >= _OPEN:
                self.came_back_later += 1
                continue
            ordered = self._ordered(len(self.orders))
            self.orders.append(ordered)
            task = asyncio.create_task(self._see_through(ordered))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def go_home(self) -> None:
        """Wait until every customer has an answer or has given up."""
        await asyncio.gather(*self._under_way)

    def _ordered(self, number: int) -> Ordered:
        chance = self._chance
        skus = chance.sample(SHELVES, k=1 + number % 3)
        lines = [
            {"sku": sku, "quantity": chance.randint(1, 3), "unit_price": chance.randint(100, 9_900)} for sku in skus
        ]
        if number % 14 == 3:
            lines[0] |= {"quantity": 2, "unit_price": CARD_LIMIT - 20_000}
        if number % 3 == 0:
            lines.append({"sku": HOT, "quantity": 1, "unit_price": 4_900})
        body = {"customer_id": f"customer-{chance.randrange(500)}", "currency": "EUR", "lines": lines}
        # A cancellation may come before the service knows the order, during its course, or too late.
        cancels_after = chance.choice((0.0, 0.02, 0.1, 1.0)) if number % 6 == 5 else None
        return Ordered(f"{self._run}-{number}", body, cancels_after)

    async def _see_through(self, ordered: Ordered) -> None:
        loop = asyncio.get_running_loop()
        ordered.sent_at = loop.time()
        answer = await self._ask("/orders", ordered.body, ordered.key, ordered)
        if answer is None:
            return
        ordered.accepted_at = loop.time()
        ordered.order_ids.add(answer["order_id"])
        self.accepted += 1
        if int(ordered.key.rpartition("-")[2]) % 11 == 4:
            again = await self._ask("/orders", ordered.body, ordered.key, ordered)
            ordered.order_ids |= {again["order_id"]} if again else set()
        if ordered.cancels_after is not None:
            await asyncio.sleep(ordered.cancels_after)
            reason = {"reason": "the customer changed their mind"}
            await self._ask(f"/orders/{answer['order_id']}/cancel", reason, f"{ordered.key}-cancel", None)

    async def _ask(self, path: str, body: Any, key: str, ordered: Ordered | None) -> dict[str, Any] | None:
        """Repeat a request with the same key until there is a valid answer; None if there never is."""
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + _PATIENCE, 0.1
        while loop.time() < until:
            door = self._chance.choice(self._doors)
            try:
                async with self._session.post(
                    door + path, json=body, headers={"Idempotency-Key": key}, timeout=_ATTEMPT
                ) as response:
                    told = await response.json(content_type=None)
                    if response.status == 202 and isinstance(told, dict):
                        return told
                    # Another replica may not know the order yet that this customer wants to cancel.
                    if response.status < 500 and not (ordered is None and response.status == 404):
                        if ordered is not None:
                            ordered.refused = f"{response.status}: {told}"
                        return None
            except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
                pass
            self.asked_again += 1
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1.5))
            pause = min(3.0, pause * 1.7)
        return None
