"""Customers who order all the time, and the final check that each order has ended exactly once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.e2e.checkout import OUTSIDE, Checkout, until

PER_SECOND = 4.0
MORE = 8
STOCK = 1_000_000
ENDS = ("completed", "cancelled")


class Shoppers:
    """Customers who order one article from one shelf."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._sku = f"sku-{uuid.uuid4().hex[:8]}"
        self._settled: dict[str, str] = {}
        self.placed: list[str] = []

    async def stock(self) -> None:
        """Fill the shelf, and wait until it is full."""
        await self._checkout.command("inventory", "/stock", {"sku": self._sku, "quantity": STOCK})
        await self._shelf_holds(STOCK, 0)

    async def order_all_the_while(self) -> None:
        """Order until this is cancelled."""
        while True:
            await self.place()
            await asyncio.sleep(1 / PER_SECOND)

    async def place(self) -> str:
        """Order one, and return the order's id once it is accepted."""
        order = await self._checkout.order_of(self._sku)
        self.placed.append(order)
        return order

    async def go_on(self) -> None:
        """Wait until some more orders were accepted."""
        wanted = len(self.placed) + MORE

        async def number() -> int:
            return len(self.placed)

        await until(number, lambda found: found >= wanted)

    async def all_settled(self) -> None:
        """Wait until each order placed so far has ended, its money is where it belongs, and its customer knows."""
        left = [order for order in self.placed if order not in self._settled]
        self._settled |= dict(zip(left, await asyncio.gather(*map(self._end_of, left)), strict=True))

    async def shelf_adds_up(self) -> None:
        """Wait until exactly the completed orders have taken something from the shelf."""
        taken = sum(how == "completed" for how in self._settled.values())
        await self._shelf_holds(STOCK - taken, taken)

    async def _end_of(self, order: str) -> str:
        """How an order ended, once every service says the same of it."""

        async def look() -> tuple[Any, Any, int, int]:
            _, said = await self._checkout.get("order", f"/orders/{order}")
            _, notice = await self._checkout.get("notification", f"/notices/{order}")
            _, ledger = await self._checkout.get(OUTSIDE, f"/ledger/{order}")
            return said.get("status"), notice.get("told"), len(ledger["charges"]), len(ledger["refunds"])

        def settled(seen: tuple[Any, Any, int, int]) -> bool:
            status, told, charges, refunds = seen
            assert refunds <= charges <= 1, f"{order} was charged {charges} times and refunded {refunds} times"
            return status in ENDS and told == status and charges - refunds == (status == "completed")

        return str((await until(look, settled))[0])

    async def _shelf_holds(self, available: int, taken: int) -> None:
        await until(
            lambda: self._checkout.get("inventory", f"/stock/{self._sku}"),
            lambda told: told[0] == 200 and (told[1]["available"], told[1]["taken"]) == (available, taken),
        )


@asynccontextmanager
async def shopping(checkout: Checkout) -> AsyncIterator[Shoppers]:
    """Let customers order all the time; a refused order fails the test."""
    shoppers = Shoppers(checkout)
    await shoppers.stock()
    async with asyncio.TaskGroup() as group:
        ordering = group.create_task(shoppers.order_all_the_while())
        yield shoppers
        ordering.cancel()
