"""The rehearsal must believe a shop that keeps the rules and catch one that breaks them.

The payment provider is the real one. The shop is small and keeps its records in memory, so that each rule can be broken
on purpose.
"""

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from rich.console import Console

from apps.checkout.rehearsal import _acts, rehearse
from apps.checkout.rehearsal._shop import RehearsalError
from apps.checkout.rehearsal.two_orders import prove
from apps.payment_provider.api import create_app

ORDERS = 120


class Shop:
    """Order and inventory in one, with one flaw or none."""

    def __init__(self, flaw: str, provider: str) -> None:
        self._flaw = flaw
        self._provider = provider
        self._stock: dict[str, list[int]] = {}
        self._orders: dict[str, dict[str, Any]] = {}
        self._seen_keys: set[str] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._session = aiohttp.ClientSession()

    def app(self) -> web.Application:
        """Build the HTTP API of both services."""
        app = web.Application()
        app.add_routes(
            [
                web.post("/orders", self._place),
                web.get("/orders/{id}", self._show),
                web.post("/orders/{id}/cancel", self._cancel),
                web.post("/stock", self._add_stock),
                web.get("/stock/{sku}", self._show_stock),
            ]
        )
        return app

    async def close(self) -> None:
        """End the tasks that still run."""
        for task in self._running:
            task.cancel()
        await self._session.close()

    async def _add_stock(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self._stock.setdefault(asked["sku"], [0, 0])[0] += asked["quantity"]
        return web.json_response({}, status=202)

    async def _show_stock(self, request: web.Request) -> web.Response:
        sku = request.match_info["sku"]
        if sku not in self._stock:
            return web.json_response({"detail": "unknown"}, status=404)
        available, taken = self._stock[sku]
        return web.json_response({"sku": sku, "available": available, "taken": taken})

    async def _place(self, request: web.Request) -> web.Response:
        asked, key = await request.json(), request.headers["Idempotency-Key"]
        fields = set(asked) == {"customer_id", "currency", "lines"}
        good = fields and asked["lines"] and all(line["quantity"] > 0 < line["unit_price"] for line in asked["lines"])
        if not good and self._flaw != "accepts anything":
            return web.json_response({"detail": "not an order"}, status=422)
        if key not in self._seen_keys and len(self._seen_keys) % 10 == 0:
            # The first answer to some orders is lost, as it is when a sidecar dies.
            self._seen_keys.add(key)
            return web.json_response({"detail": "unknown"}, status=503)
        self._seen_keys.add(key)
        order_id = f"o-{key}"
        if self._flaw == "forgets keys":
            order_id += f"-{len(self._orders)}"
        if order_id not in self._orders:
            total = sum(line["quantity"] * line["unit_price"] for line in asked["lines"])
            order = asked | {"order_id": order_id, "status": "placed", "reason": "", "total": total}
            self._orders[order_id] = order
            task = asyncio.create_task(self._run(order))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return web.json_response({"order_id": order_id, "status": "accepted"}, status=202)

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self._orders[request.match_info["id"]])

    async def _cancel(self, request: web.Request) -> web.Response:
        order = self._orders[request.match_info["id"]]
        order["wanted_out"] = (await request.json())["reason"]
        return web.json_response({}, status=202)

    async def _run(self, order: dict[str, Any]) -> None:
        await asyncio.sleep(0.01)
        lines = order.get("lines") or []
        short = [line["sku"] for line in lines if self._left(line["sku"]) < line["quantity"]]
        for line in [] if short else lines:
            self._move(line, line["quantity"])
        charge = await self._pay(order, "charges", customer_id="c", amount=order["total"], currency="EUR")
        declined = charge.get("reason")
        reason = order.get("wanted_out") or declined or (f"not enough {short[0]}" if short else "")
        order |= {"status": "cancelled" if reason else "completed", "reason": reason}
        if reason:
            # Compensation comes after the end of an order, and the rehearsal has to wait for it.
            await asyncio.sleep(0.3)
            if not short and self._flaw != "keeps the stock":
                for line in lines:
                    self._move(line, -line["quantity"])
            if not declined and self._flaw != "keeps the money":
                await self._pay(order, "refunds", charge_id=charge["charge_id"], amount=order["total"])
        elif self._flaw == "changes its mind":
            await asyncio.sleep(1)
            order["status"] = "placed"
        elif self._flaw == "charges twice":
            await self._pay(order, "charges", "-2", customer_id="c", amount=order["total"], currency="EUR")

    def _left(self, sku: str) -> int:
        return self._stock.get(sku, [0, 0])[0]

    def _move(self, line: dict[str, Any], quantity: int) -> None:
        self._stock[line["sku"]][0] -= quantity
        self._stock[line["sku"]][1] += quantity

    async def _pay(self, order: dict[str, Any], what: str, again: str = "", **asked: object) -> dict[str, Any]:
        body = {"order_id": order["order_id"], **asked}
        headers = {"Idempotency-Key": f"{order['order_id']}-{what}{again}"}
        while True:
            url = f"{self._provider}/{what}"
            async with self._session.post(url, json=body, headers=headers) as response:
                if response.status < 500:
                    answer: dict[str, Any] = await response.json()
                    return answer


class Flow:
    """Where the shop and the provider listen."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._addresses = addresses

    def address(self, name: str) -> str:
        """Return a base URL."""
        return self._addresses[name]


@asynccontextmanager
async def running(flaw: str, folder: Path) -> AsyncIterator[Flow]:
    """Serve a shop with this flaw, and the provider."""
    listening = socket.create_server(("127.0.0.1", 0))
    provider = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = create_app(str(folder / "provider.sqlite"))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    serving = asyncio.create_task(server.serve([listening]))
    shop = Shop(flaw, provider)
    runner = web.AppRunner(shop.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield Flow({"order": address, "inventory": address, "payment-provider": provider})
    finally:
        await runner.cleanup()
        await shop.close()
        server.should_exit = True
        await serving


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_acts, "SECONDS_TO_SETTLE", 3.0)


def _console() -> Console:
    return Console(file=io.StringIO(), width=100, force_terminal=False)


def _shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_a_shop_that_keeps_the_rules_passes_twice(tmp_path: Path) -> None:
    """The second run starts from the stock and the money of the first."""
    async with running("none", tmp_path) as flow:
        for _ in range(2):
            console = _console()
            assert await rehearse(flow, ORDERS, console), _shown(console)
            shown = _shown(console)
            assert "✗" not in shown
            for expected in ("limited-edition", "not enough", "answered with 422", "changed their mind"):
                assert expected in shown


@pytest.mark.parametrize(
    ("flaw", "rule"),
    [
        ("accepts anything", "Every invalid order was refused with 422"),
        ("forgets keys", "A request sent twice is one order"),
        ("keeps the stock", "Exactly what completed orders hold was taken"),
        ("keeps the money", "Cancelled orders cost nothing"),
        ("keeps the money", "The provider kept what completed orders cost"),
        ("charges twice", "Completed orders were charged once"),
        ("changes its mind", "An ended order stays as it ended"),
    ],
)
async def test_a_shop_that_breaks_a_rule_is_caught(tmp_path: Path, flaw: str, rule: str) -> None:
    """Each flaw is named by its rule, with a red cross."""
    console = _console()
    async with running(flaw, tmp_path) as flow:
        assert not await rehearse(flow, ORDERS, console)
    crossed = [line for line in _shown(console).splitlines() if "✗" in line and rule in line]
    assert crossed, _shown(console)


async def test_the_switches_of_the_provider_are_put_back(tmp_path: Path) -> None:
    """A user's own faults survive a rehearsal."""
    async with running("none", tmp_path) as flow, aiohttp.ClientSession() as session:
        url = f"{flow.address('payment-provider')}/faults"
        await (await session.put(url, json={"delay_ms": 1})).read()
        assert await rehearse(flow, 40, _console())
        faults = await (await session.get(url)).json()
    assert (faults["delay_ms"], faults["decline_above"]) == (1, None)


async def test_a_flow_that_does_not_answer_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user should not need a stack trace to learn that a service is down."""
    monkeypatch.setattr("apps.checkout.rehearsal._shop.PATIENCE", 0.5)
    async with running("none", tmp_path) as flow:
        dead = Flow({**flow._addresses, "inventory": "http://127.0.0.1:9"})
        console = _console()
        assert not await rehearse(dead, 10, console)
    shown = " ".join(_shown(console).replace("│", " ").split())
    assert "The rehearsal stopped" in shown
    assert "got no answer for" in shown


async def _prove(flow: Flow, within: float) -> None:
    order, inventory, provider = (flow.address(name) for name in ("order", "inventory", "payment-provider"))
    await prove(order, inventory, provider, within)


async def test_two_orders_prove_a_shop_that_keeps_the_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One completes, one is compensated; this is what `helm test` runs."""
    async with running("none", tmp_path) as flow:
        await _prove(flow, within=20)
    told = capsys.readouterr().out
    assert "was completed, and charged once" in told
    assert "charged and given back" in told


@pytest.mark.parametrize(
    ("flaw", "told"),
    [
        ("keeps the money", "did not end within"),
        ("charges twice", "the guarantee is broken"),
    ],
)
async def test_two_orders_do_not_prove_a_shop_that_breaks_a_rule(tmp_path: Path, flaw: str, told: str) -> None:
    """A proof that always succeeds would prove nothing."""
    async with running(flaw, tmp_path) as flow:
        with pytest.raises(RehearsalError, match=told):
            await _prove(flow, within=3)
