"""Orders are sent in bounded numbers, and slow answers do not delay later orders."""

from __future__ import annotations

import asyncio
import time
from itertools import cycle
from typing import Any

import orjson
import pytest

from bench.client import Answer
from bench.load import AT_ONCE, MOST_ORDERS, Load, RefusedError
from bench.orders import orders


class SlowShop:
    """Accepts orders, each after a while."""

    def __init__(self, seconds: float, status: int = 202) -> None:
        self._seconds, self._status = seconds, status
        self.at_once = self.most = self.taken = 0

    async def ask(self, *_: Any) -> Answer:
        """Take an order."""
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(self._seconds)
        self.at_once -= 1
        self.taken += 1
        return Answer(self._status, orjson.dumps({"order_id": f"o{self.taken}"}))

    def close(self) -> None:
        """Nothing is open."""


def load_on(*shops: SlowShop) -> Load:
    """Aim at shops that are no processes."""
    load = Load(["http://127.0.0.1:1"] * len(shops))
    load._next = cycle(shops)  # type: ignore[arg-type]
    return load


async def test_no_more_than_so_many_at_once() -> None:
    """In a closed loop, a bounded number of customers order."""
    shop = SlowShop(0.001)
    load = load_on(shop)
    await load.place(orders(0, 300))
    assert (shop.taken, shop.most, len(load.sent)) == (300, AT_ONCE, 300)


async def test_a_slow_shop_does_not_slow_the_customers() -> None:
    """In an open loop an order begins when it should, even if the ones before it still wait for their answer."""
    load = load_on(SlowShop(0.3))
    began = time.time()
    await load.pace(orders(0, 20), a_second=100)
    starts = sorted(load.began.values())
    assert starts[-1] - starts[0] == pytest.approx(0.19, abs=0.001)
    assert starts[0] == pytest.approx(began, abs=0.1)


async def test_a_refused_order_ends_the_run() -> None:
    """An order that was not accepted must not be counted as served."""
    with pytest.raises(RefusedError, match="answered 500"):
        await load_on(SlowShop(0, status=500)).place(orders(0, 1))


async def test_load_is_bounded() -> None:
    """A misspelt number must not keep a machine busy for days."""
    with pytest.raises(ValueError, match="are ever sent"):
        await load_on(SlowShop(0)).place(orders(0, MOST_ORDERS + 1))
    with pytest.raises(ValueError, match="a second"):
        await load_on(SlowShop(0)).pace(orders(0, 1), a_second=100_000)
