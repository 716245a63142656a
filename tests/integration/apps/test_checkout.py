"""The checkout flow on real sidecars, a real broker and real stores: every way in which an order can end."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from tests.integration.checkout_client import Checkout


@pytest.fixture
def sku() -> str:
    """Name a product that no other test sells."""
    return f"sku-{uuid.uuid4().hex[:12]}"


@pytest.fixture(autouse=True)
async def a_provider_that_behaves(checkout: Checkout) -> None:
    """Switch all faults off before each test."""
    await checkout.faults()


async def test_an_order_in_stock_and_paid_is_completed(checkout: Checkout, sku: str) -> None:
    """The happy path: reserved and charged at the same time, dispatched once both are there."""
    await checkout.stock(sku, 10)
    order_id = await checkout.place(sku, quantity=3, price=700)
    order = await checkout.ended(order_id, "completed")
    assert order["total"] == 2100
    assert (await checkout.get("inventory", f"/stock/{sku}"))[1] == {"sku": sku, "available": 7, "taken": 3}
    assert await checkout.ledger(order_id) == {"charged": 2100, "refunded": 0, "charges": 1}
    notice = await checkout.until(
        lambda: checkout.get("notification", f"/notices/{order_id}"), lambda answer: answer[0] == 200
    )
    assert notice[1]["told"] == "completed"


async def test_orders_of_a_customer_are_listed_by_what_they_have_come_to(checkout: Checkout, sku: str) -> None:
    """The list shows them as their views do, the newest first, page by page."""
    await checkout.stock(sku, 2)
    orders = [await checkout.place(sku) for _ in range(2)]
    shown = [await checkout.ended(order_id, "completed") for order_id in orders]
    asked = "/orders?customer_id=customer-1&status=completed"
    status, first = await checkout.get("order", f"{asked}&limit=1")
    assert (status, first["items"]) in [(200, [one]) for one in shown]
    _, second = await checkout.get("order", f"{asked}&limit=1&after={first['next']}")
    assert {one["order_id"] for one in (*first["items"], *second["items"])} == set(orders)
    _, all_of_them = await checkout.get("order", f"{asked}&limit=200")
    assert [one for one in all_of_them["items"] if one["order_id"] in orders] == first["items"] + second["items"]
    assert (await checkout.get("order", "/orders?total=500"))[0] == 422


async def test_an_order_without_stock_is_cancelled_and_costs_nothing(checkout: Checkout, sku: str) -> None:
    """Nothing is taken from any shelf, and the charge is refunded."""
    await checkout.stock(sku, 1)
    order_id = await checkout.place(sku, quantity=2)
    order = await checkout.ended(order_id, "cancelled")
    assert order["reason"] == f"not enough {sku}"
    await checkout.until(lambda: checkout.ledger(order_id), lambda one: one["charged"] == one["refunded"] == 1000)
    assert (await checkout.get("inventory", f"/stock/{sku}"))[1]["available"] == 1


async def test_a_declined_order_is_cancelled_and_its_stock_released(checkout: Checkout, sku: str) -> None:
    """The reserved stock is back on its shelf."""
    await checkout.stock(sku, 5)
    await checkout.faults(decline_above=10_000)
    order_id = await checkout.place(sku, quantity=2, price=9_000)
    await checkout.ended(order_id, "cancelled")
    await checkout.until(
        lambda: checkout.get("inventory", f"/stock/{sku}"),
        lambda answer: answer[1]["available"] == 5 and answer[1]["taken"] == 0,
    )
    assert (await checkout.ledger(order_id))["charged"] == 0


async def test_a_customer_who_asks_in_time_is_not_charged(checkout: Checkout, sku: str) -> None:
    """The cancellation comes while the provider thinks: its answer leads straight to a refund."""
    await checkout.stock(sku, 5)
    await checkout.faults(delay_ms=1500)
    order_id = await checkout.place(sku)
    status, _ = await checkout.post("order", f"/orders/{order_id}/cancel", {"reason": "changed my mind"})
    assert status == 202
    order = await checkout.ended(order_id, "cancelled")
    assert order["reason"] == "changed my mind"
    await checkout.until(lambda: checkout.ledger(order_id), lambda one: one["charged"] == one["refunded"] == 500)
    await checkout.until(lambda: checkout.get("inventory", f"/stock/{sku}"), lambda answer: answer[1]["available"] == 5)


async def test_a_customer_who_asks_too_late_is_refused(checkout: Checkout, sku: str) -> None:
    """Shipping is the point of no return."""
    await checkout.stock(sku, 5)
    order_id = await checkout.place(sku)
    await checkout.ended(order_id, "completed")
    await checkout.post("order", f"/orders/{order_id}/cancel", {"reason": "too late"})
    order = await checkout.until(lambda: checkout.order(order_id), lambda one: one["cancellation"] == "refused")
    assert order["status"] == "completed"
    assert await checkout.ledger(order_id) == {"charged": 500, "refunded": 0, "charges": 1}


async def test_a_provider_that_was_down_charges_once_it_is_up(checkout: Checkout, sku: str) -> None:
    """A provider that is down sends no reply: the intent waits, with its key."""
    await checkout.stock(sku, 5)
    await checkout.faults(down=True)
    order_id = await checkout.place(sku)
    await asyncio.sleep(2)
    assert (await checkout.order(order_id))["status"] == "placed"
    await checkout.faults()
    await checkout.ended(order_id, "completed")
    assert await checkout.ledger(order_id) == {"charged": 500, "refunded": 0, "charges": 1}


async def test_an_order_that_is_late_asks_to_be_cancelled(checkout: Checkout, sku: str) -> None:
    """The deadline passes while the provider is down; shipping agrees, and no money is kept in the end."""
    await checkout.stock(sku, 5)
    await checkout.faults(down=True)
    order_id = await checkout.place(sku)
    order = await checkout.ended(order_id, "cancelled")
    assert order["reason"] == "not completed in time"
    await checkout.faults()
    await checkout.until(lambda: checkout.get("inventory", f"/stock/{sku}"), lambda answer: answer[1]["available"] == 5)
    ledger = await checkout.until(lambda: checkout.ledger(order_id), lambda one: one["charged"] == one["refunded"])
    assert ledger["charges"] <= 1


async def test_a_time_out_after_charging_charges_once(checkout: Checkout, sku: str) -> None:
    """The answer is lost but the charge is not: the same key brings the same charge."""
    await checkout.stock(sku, 5)
    await checkout.faults(hang_after_charge_rate=1.0, hang_ms=11_000)
    order_id = await checkout.place(sku)
    await checkout.until(lambda: checkout.ledger(order_id), lambda one: one["charges"] == 1)
    await checkout.faults()
    await checkout.until(lambda: checkout.order(order_id), lambda one: one["status"] in ("completed", "cancelled"))
    assert (await checkout.ledger(order_id))["charges"] == 1


async def test_the_same_request_with_the_same_key_is_the_same_order(checkout: Checkout, sku: str) -> None:
    """A client that got no response may send the request again."""
    await checkout.stock(sku, 5)
    key = uuid.uuid4().hex
    first = await checkout.place(sku, key=key)
    second = await checkout.place(sku, key=key)
    await checkout.ended(first, "completed")
    third = await checkout.place(sku, key=key)
    assert first == second == third
    assert (await checkout.get("inventory", f"/stock/{sku}"))[1]["taken"] == 1


async def test_another_request_with_the_same_key_is_refused(checkout: Checkout, sku: str) -> None:
    """A key belongs to one body, both at once and after the order has long been settled."""
    await checkout.stock(sku, 5)
    key = uuid.uuid4().hex
    order_id = await checkout.place(sku, key=key)
    body = {"customer_id": "c", "currency": "EUR", "lines": [{"sku": sku, "quantity": 2, "unit_price": 1}]}
    assert (await checkout.post("order", "/orders", body, key))[0] == 422
    await checkout.ended(order_id, "completed")
    assert (await checkout.post("order", "/orders", body, key))[0] == 422


async def test_every_event_published_twice_changes_nothing(checkout: Checkout, sku: str) -> None:
    """Consumers find their own outcomes."""
    await checkout.stock(sku, 5)
    order_id = await checkout.place(sku)
    before = await checkout.ended(order_id, "completed")
    for event in await checkout.events(order_id):
        await checkout.inject(event.topic, event.raw)
    other = await checkout.place(sku)
    await checkout.ended(other, "completed")
    assert await checkout.order(order_id) == before
    assert (await checkout.get("inventory", f"/stock/{sku}"))[1]["taken"] == 2
    assert (await checkout.ledger(order_id))["charges"] == 1


async def test_events_in_reverse_lead_to_the_same_end(checkout: Checkout, sku: str) -> None:
    """The events of a completed order, rewritten for another order, come in reverse order."""
    await checkout.stock(sku, 5)
    told = await checkout.place(sku)
    await checkout.ended(told, "completed")
    order_id = uuid.uuid4().hex
    for event in reversed(await checkout.events(told)):
        attributes = event.attributes
        text = event.raw.decode().replace(told, order_id).replace(attributes["id"], uuid.uuid4().hex)
        await checkout.inject(event.topic, text.encode())
        await asyncio.sleep(0.2)
    order = await checkout.ended(order_id, "completed")
    assert order["lines"][0]["sku"] == sku
    await checkout.until(lambda: checkout.ledger(order_id), lambda one: one["charges"] == 1)
    assert (await checkout.ledger(order_id))["refunded"] == 0


async def test_a_nudge_brings_back_a_flow_that_lost_an_event(checkout: Checkout, sku: str) -> None:
    """The broker lost the events of inventory and billing; each publishes them again, also after answers."""
    await checkout.stock(sku, 5)
    await checkout.flow.stop("shipping")
    await checkout.flow.stop("shipping-sidecar")
    order_id = await checkout.place(sku)
    events = await checkout.until(lambda: checkout.events(order_id), lambda found: len(found) >= 3)
    for event in events:
        if event.topic.startswith(("stock.", "payment.")):
            await checkout.forget(event)
    await checkout.flow.start("shipping", wait=False)
    await checkout.flow.start("shipping-sidecar")
    await asyncio.sleep(2)
    assert (await checkout.order(order_id))["status"] == "placed"
    nudge = f"nudge-{uuid.uuid4().hex[:8]}"
    await checkout.nudge(nudge, [event for event in events if event.topic.startswith("order.")])
    await checkout.ended(order_id, "completed")
    repeated = {event.topic for event in await checkout.events(order_id) if event.attributes["id"].endswith(nudge)}
    assert repeated >= {"stock.reserved", "payment.charged"}
    assert (await checkout.ledger(order_id))["charges"] == 1


async def test_an_order_of_many_lines_is_reserved_whole_or_not_at_all(checkout: Checkout, sku: str) -> None:
    """One missing line leaves every other shelf as it was."""
    await checkout.stock(f"{sku}.a", 5)
    await checkout.stock(f"{sku}.b", 1)
    lines = [{"sku": f"{sku}.{shelf}", "quantity": 2, "unit_price": 100} for shelf in "ab"]
    _, answer = await checkout.post("order", "/orders", {"customer_id": "c", "currency": "EUR", "lines": lines})
    await checkout.ended(answer["order_id"], "cancelled")
    assert (await checkout.get("inventory", f"/stock/{sku}.a"))[1] == {"sku": f"{sku}.a", "available": 5, "taken": 0}


async def test_a_product_many_fight_for_is_sold_exactly_as_often_as_it_is_there(checkout: Checkout, sku: str) -> None:
    """Sixty orders for twenty items, all at once."""
    await checkout.stock(sku, 20)
    orders = await asyncio.gather(*(checkout.place(sku) for _ in range(60)))
    ends = await asyncio.gather(*(_end_of(checkout, order_id) for order_id in orders))
    assert sorted(one["status"] for one in ends) == ["cancelled"] * 40 + ["completed"] * 20
    assert (await checkout.get("inventory", f"/stock/{sku}"))[1] == {"sku": sku, "available": 0, "taken": 20}


async def _end_of(checkout: Checkout, order_id: str) -> dict[str, Any]:
    return await checkout.until(
        lambda: checkout.order(order_id), lambda one: one.get("status") in ("completed", "cancelled")
    )
