"""The services and the payment provider as a customer and an auditor reach them: plain HTTP, and patience."""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import aiohttp

from apps.checkout.rehearsal._plan import Planned

ONE_ATTEMPT = aiohttp.ClientTimeout(total=15)
PATIENCE = 60.0
UNKNOWN_OUTCOMES = {429, 500, 502, 503, 504}


class RehearsalError(Exception):
    """The rehearsal cannot go on; the message says what to do about it."""


class Answer(NamedTuple):
    """What a service answered in the end."""

    status: int
    body: Any


class Stock(NamedTuple):
    """What inventory says of one article."""

    available: int
    taken: int


class Sums(NamedTuple):
    """Money and stock at one moment."""

    charged: int
    refunded: int
    stock: dict[str, Stock]


class Shop:
    """Asks again, with the same key, until there is an answer; safe because every command is idempotent."""

    def __init__(self, session: aiohttp.ClientSession, *, order: str, inventory: str, provider: str) -> None:
        self._session = session
        self._order = order.rstrip("/")
        self._inventory = inventory.rstrip("/")
        self._provider = provider.rstrip("/")
        self.asked_again = 0

    async def place(self, planned: Planned) -> Answer:
        """Send an order."""
        return await self._ask("POST", f"{self._order}/orders", planned.body, planned.key)

    async def order(self, order_id: str) -> Answer:
        """Look at an order."""
        return await self._ask("GET", f"{self._order}/orders/{order_id}")

    async def cancel(self, order_id: str, key: str) -> Answer:
        """Ask to cancel an order."""
        url = f"{self._order}/orders/{order_id}/cancel"
        return await self._ask("POST", url, {"reason": "the customer changed their mind"}, f"{key}-cancel")

    async def add_stock(self, sku: str, quantity: int, key: str) -> None:
        """Deliver goods to the inventory."""
        url = f"{self._inventory}/stock"
        expect(await self._ask("POST", url, {"sku": sku, "quantity": quantity}, key), 202, f"POST {url}")

    async def stock(self, sku: str) -> Stock:
        """Look at an article; one that inventory never heard of has nothing."""
        url = f"{self._inventory}/stock/{sku}"
        answer = await self._ask("GET", url)
        if answer.status in {202, 404}:
            return Stock(0, 0)
        body = expect(answer, 200, f"GET {url}")
        return Stock(body["available"], body["taken"])

    async def sums(self, skus: Iterable[str]) -> Sums:
        """Read the totals of money and stock."""
        url = f"{self._provider}/ledger"
        money = expect(await self._ask("GET", url), 200, f"GET {url}")
        stock = {sku: await self.stock(sku) for sku in skus}
        return Sums(money["charged"], money["refunded"], stock)

    async def ledger_of(self, order_id: str) -> tuple[list[int], list[int]]:
        """Read what was charged for an order and what was refunded."""
        url = f"{self._provider}/ledger/{order_id}"
        told = expect(await self._ask("GET", url), 200, f"GET {url}")
        return [charge["amount"] for charge in told["charges"]], [back["amount"] for back in told["refunds"]]

    async def faults(self) -> dict[str, Any]:
        """Read the provider's fault switches."""
        url = f"{self._provider}/faults"
        faults: dict[str, Any] = expect(await self._ask("GET", url), 200, f"GET {url}")
        return faults

    async def switch(self, faults: dict[str, Any]) -> None:
        """Set the provider's fault switches."""
        url = f"{self._provider}/faults"
        expect(await self._ask("PUT", url, faults), 200, f"PUT {url}")

    async def _ask(self, method: str, url: str, body: object = None, key: str | None = None) -> Answer:
        headers = {} if key is None else {"Idempotency-Key": key}
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        pause = 0.05
        while True:
            try:
                async with self._session.request(
                    method, url, json=body, headers=headers, timeout=ONE_ATTEMPT
                ) as response:
                    answer = Answer(response.status, await response.json(content_type=None))
                if answer.status not in UNKNOWN_OUTCOMES:
                    return answer
                trouble = f"it answers {answer.status} {str(answer.body)[:200]}"
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                trouble = f"{type(error).__name__}: {error}"
            if loop.time() > until:
                raise RehearsalError(
                    f"{method} {url} got no answer for {PATIENCE:.0f} s ({trouble}), so the flow cannot "
                    "be judged. Look at the log of that service and whether its sidecar runs."
                )
            self.asked_again += 1
            await asyncio.sleep(pause)
            pause = min(2.0, pause * 2)


def expect(answer: Answer, status: int, what: str) -> Any:
    """Return the body of the expected answer; any other ends the rehearsal."""
    if answer.status != status:
        raise RehearsalError(
            f"{what} was answered with {answer.status} {str(answer.body)[:300]} instead of {status}, "
            "so the rehearsal cannot go on. The service is older or newer than this rehearsal, or "
            "another program has its port."
        )
    return answer.body
