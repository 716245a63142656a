"""Checks that every order ended correctly and that money and stock add up, so that no figure counts lost work."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from bench.broker import Broker
from bench.client import Client
from bench.orders import CARD_LIMIT, STOCK, Order, articles, expected, key_of
from bench.systems import Stage

_LOOKED_AT = 200


class WrongResultError(Exception):
    """A system produced wrong results, so its speed means nothing."""


async def prepare(stage: Stage) -> None:
    """Fill the shelves and set the limits of the cards."""
    inventory, provider = Client(stage.inventory), Client(stage.provider)
    for sku in articles():
        body = orjson.dumps({"sku": sku, "quantity": STOCK})
        await _expect(inventory, "POST /stock", 202, body, key_of(f"fill-{sku}"))
    await _expect(provider, "PUT /faults", 200, orjson.dumps({"decline_above": CARD_LIMIT}))
    inventory.close()
    provider.close()


async def audit(stage: Stage, broker: Broker, sent: Mapping[str, Order], *, keeps_state: bool) -> int:
    """Compare events, ledger, shelves and a sample of the orders with the sent orders; return how many ended well.

    Raises:
        WrongResultError: a result is missing, superfluous or wrong.
    """
    wrong: list[str] = []
    completed = await broker.count("order.completed.v1")
    cancelled = await broker.count("order.cancelled.v1")
    dispatched = await broker.count("shipment.dispatched.v1")
    happy = {order_id for order_id, order in sent.items() if order.fate == "happy"}
    for what, found, due in (
        ("completed", completed, happy),
        ("dispatched", dispatched, happy),
        ("cancelled", cancelled, sent.keys() - happy),
    ):
        if found.keys() != due:
            wrong.append(
                f"{len(due - found.keys())} orders were not {what}, and {len(found.keys() - due)} should not be"
            )
    if aside := await broker.waiting_for_a_person():
        wrong.append(f"{aside} events were set aside")
    if keeps_state:
        wrong += await money_and_stock(stage, sent)
        wrong += await _shown(stage, sent)
    if wrong:
        raise WrongResultError("; ".join(wrong) + ".")
    return len(completed)


async def money_and_stock(stage: Stage, sent: Mapping[str, Order]) -> list[str]:
    """Compare the provider's ledger and the shelves with the sent orders. Return the differences."""
    must = expected(sent.values())
    return [*await _money(stage, must.money), *await _stock(stage, must.sold)]


async def _money(stage: Stage, due: int) -> list[str]:
    client = Client(stage.provider)
    ledger = orjson.loads(await _expect(client, "GET /ledger", 200))
    client.close()
    kept = ledger["charged"] - ledger["refunded"]
    return [] if kept == due else [f"the provider kept {kept} and not {due}"]


async def _stock(stage: Stage, sold: Mapping[str, int]) -> list[str]:
    client = Client(stage.inventory)
    wrong: list[str] = []
    for sku in articles():
        left = orjson.loads(await _expect(client, f"GET /stock/{sku}", 200))["available"]
        if left != STOCK - sold.get(sku, 0):
            wrong.append(f"of {sku} {STOCK - left} are gone and {sold.get(sku, 0)} were sold")
    client.close()
    return wrong


async def _shown(stage: Stage, sent: Mapping[str, Order]) -> list[str]:
    client = Client(stage.orders[0])
    wrong: list[str] = []
    for order_id, order in list(sent.items())[:: max(1, len(sent) // _LOOKED_AT)]:
        status = orjson.loads(await _expect(client, f"GET /orders/{order_id}", 200))["status"]
        if (status == "completed") != (order.fate == "happy") or status not in ("completed", "cancelled"):
            wrong.append(f"order {order_id} is {status}")
    client.close()
    return wrong


async def _expect(client: Client, asked: str, status: int, body: bytes = b"", key: str = "") -> bytes:
    method, _, path = asked.partition(" ")
    answer = await client.ask(method, path, body, key)
    if answer.status != status:
        raise WrongResultError(f"{asked} was answered {answer.status}: {answer.body[:300]!r}")
    return answer.body
