"""The shortest proof that a deployed flow works: one order that completes, and one that is compensated.

``python -m apps.checkout.rehearsal.two_orders --order=http://order:8000 --inventory=http://inventory:8000`` and, where
the provider is our stand-in, ``--provider=http://payment-provider:8090``: then the books are read as well.
"""

import argparse
import asyncio
import sys
import time
from typing import Any

import aiohttp

from apps.checkout.rehearsal._plan import Line, Planned
from apps.checkout.rehearsal._shop import RehearsalError, Shop, expect

_PRICE = 100
_LOOKS = 0.2
_TRIES = 3


class TwoOrders:
    """One proof, on articles of its own, so that nobody else's orders disturb it."""

    def __init__(self, shop: Shop, *, audited: bool) -> None:
        self._shop, self._audited = shop, audited
        self._run = f"proof-{time.time_ns() // 1_000_000:x}"

    async def completes(self) -> None:
        """Place an order for what is on the shelf, and wait until it is dispatched."""
        sku = f"{self._run}-there"
        await self._shop.add_stock(sku, 1, sku)
        while True:
            if (await self._shop.stock(sku)).available:
                break
            await asyncio.sleep(_LOOKS)
        _say(f"{sku} is on the shelf")
        order_id, ended = await self._place(sku, "completed")
        if self._audited:
            # Another charge, if there is one, comes after the first.
            await asyncio.sleep(1)
            charges, refunds = await self._shop.ledger_of(order_id)
            if charges != [_PRICE] or refunds:
                raise RehearsalError(
                    f"Order {order_id} is {ended['status']}, but was charged {charges} and refunded {refunds} instead "
                    f"of {[_PRICE]} and nothing, so the guarantee is broken. Keep the logs of billing and its sidecar."
                )
        _say(f"order {order_id} was completed, and charged once")

    async def is_compensated(self) -> None:
        """Order what nobody has, and wait until it is cancelled and the money is back.

        An order may be cancelled before billing hears of it, and then nothing needs to be given back: another is tried.
        """
        for number in range(_TRIES):
            order_id, ended = await self._place(f"{self._run}-missing-{number}", "cancelled")
            _say(f"order {order_id} was cancelled: {ended.get('reason')}")
            if not self._audited or await self._refunded(order_id):
                return
        raise RehearsalError(
            f"{_TRIES} orders were cancelled and none of them was charged before, so there was nothing to compensate. "
            "Billing hears of new orders much later than inventory: look at its log and its queue."
        )

    async def _refunded(self, order_id: str) -> bool:
        """Wait until what was charged was given back; False if it never was charged."""
        quiet = 0
        while quiet < 20:
            charges, refunds = await self._shop.ledger_of(order_id)
            if charges and charges == refunds:
                _say(f"its {sum(charges)} cents were charged and given back")
                return True
            quiet = 0 if charges else quiet + 1
            await asyncio.sleep(_LOOKS)
        return False

    async def _place(self, sku: str, wanted: str) -> tuple[str, dict[str, Any]]:
        line = Line(sku, 1, _PRICE)
        body = {"customer_id": self._run, "currency": "EUR", "lines": [line._asdict()]}
        planned = Planned(0, sku, "ordinary", (line,), body, sent_twice=False)
        order_id = str(expect(await self._shop.place(planned), 202, "POST /orders")["order_id"])
        while True:
            answer = await self._shop.order(order_id)
            status = answer.body.get("status") if answer.status == 200 else None
            if status == wanted:
                return order_id, answer.body
            if status in {"completed", "cancelled"}:
                raise RehearsalError(
                    f"Order {order_id} ended as {answer.body}, but was to be {wanted}. If the reason is the payment, "
                    "the provider has faults switched on (paymentProvider.faults); else look at the log of inventory."
                )
            await asyncio.sleep(_LOOKS)


async def prove(order: str, inventory: str, provider: str, within: float) -> None:
    """Place both orders and wait for both.

    Raises:
        RehearsalError: one of them did not end as it had to.
    """
    async with aiohttp.ClientSession() as session:
        shop = Shop(session, order=order, inventory=inventory, provider=provider)
        two = TwoOrders(shop, audited=bool(provider))
        try:
            async with asyncio.timeout(within):
                await two.completes()
                await two.is_compensated()
        except TimeoutError as error:
            raise RehearsalError(
                f"The two orders did not end within {within:.0f} s. What is not answered above is what they wait for: "
                "look whether each service is ready, and at the log of the one that should have acted."
            ) from error


def main() -> None:
    """Read where the services are, and tell by the exit code whether both orders ended as they had to."""
    words = argparse.ArgumentParser(prog="two_orders", description=__doc__)
    words.add_argument("--order", required=True, help="base URL of the order service")
    words.add_argument("--inventory", required=True, help="base URL of the inventory service")
    words.add_argument("--provider", default="", help="base URL of the stand-in for the payment provider")
    words.add_argument("--within", type=float, default=120.0, help="seconds that both may take together")
    given = words.parse_args()
    try:
        asyncio.run(prove(given.order, given.inventory, given.provider, given.within))
    except RehearsalError as error:
        sys.exit(str(error))
    _say("one order completed, one was compensated")


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
