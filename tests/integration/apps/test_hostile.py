"""Bad input at every endpoint and hostile events on every topic end in a clear response or in quarantine."""

from __future__ import annotations

import uuid
from typing import Any

import aiohttp
import pytest

from faults.hostile import LINE, ORDER, hostile, order_event
from tests.integration.checkout_client import Checkout

BAD_BODIES: list[tuple[str, str, Any]] = [
    ("order", "/orders", {}),
    ("order", "/orders", []),
    ("order", "/orders", "text"),
    ("order", "/orders", None),
    ("order", "/orders", ORDER | {"unknown": 1}),
    ("order", "/orders", ORDER | {"lines": []}),
    ("order", "/orders", ORDER | {"lines": [LINE] * 51}),
    ("order", "/orders", ORDER | {"lines": [LINE | {"quantity": 0}]}),
    ("order", "/orders", ORDER | {"lines": [LINE | {"quantity": -1}]}),
    ("order", "/orders", ORDER | {"lines": [LINE | {"quantity": 1.5}]}),
    ("order", "/orders", ORDER | {"lines": [LINE | {"quantity": "1"}]}),
    ("order", "/orders", ORDER | {"lines": [LINE | {"quantity": True}]}),
    ("order", "/orders", ORDER | {"lines": [LINE | {"quantity": 2**60}]}),
    ("order", "/orders", ORDER | {"lines": [LINE | {"unit_price": 0.99}]}),
    ("order", "/orders", ORDER | {"lines": [LINE | {"sku": "a||b"}]}),
    ("order", "/orders", ORDER | {"lines": [LINE | {"sku": ""}]}),
    ("order", "/orders", ORDER | {"lines": [LINE | {"extra": 1}]}),
    ("order", "/orders", ORDER | {"customer_id": "a\u0000b"}),
    ("order", "/orders", ORDER | {"customer_id": "x" * 129}),
    ("order", "/orders", ORDER | {"currency": "euro"}),
    ("inventory", "/stock", {"sku": "cup", "quantity": 0}),
    ("inventory", "/stock", {"sku": "cup"}),
    ("inventory", "/stock", {"sku": "../etc", "quantity": 1}),
    ("inventory", "/stock", {"sku": "cup", "quantity": 1, "more": 1}),
]

BAD_BYTES = [b"", b"{", b"\xff\xfe", b'{"customer_id": "\\ud800"}', b"[" * 50_000, b'{"a": NaN}', b'{"a": 1e999}']


HOSTILE: dict[str, bytes] = hostile() | {
    "nothing": b"",
    "words": b"this is not JSON",
    "a list of numbers": b"[1, 2, 3]",
    "JSON null": b"null",
    "an empty object": b"{}",
    "broken UTF-8 where the id is": b'{"id": "\xff\xfe"}',
    "very deep nesting and nothing else": b'{"data":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "nesting that can be read but not written": order_event(data={"a": "NESTED"}).replace(
        b'"NESTED"', b"[" * 600 + b"]" * 600
    ),
    "two megabytes": order_event(data={"order_id": "big", "padding": "x" * 2_000_000}),
}


async def test_bad_bodies_get_a_clear_422(checkout: Checkout) -> None:
    """Every refusal names the place and the mistake."""
    for service, path, body in BAD_BODIES:
        status, answer, headers = await checkout.post_with_headers(service, path, body)
        assert headers["Idempotency-Key"]
        assert status == 422, (path, body, status, answer)
        assert answer["detail"], answer


async def test_bytes_that_are_no_json_get_a_clear_422(checkout: Checkout) -> None:
    """Neither the parser nor the service fails."""
    for raw in BAD_BYTES:
        status, answer = await checkout.post("order", "/orders", None, raw=raw)
        assert status == 422, (raw[:20], status, answer)
        assert answer["detail"]


async def test_a_body_that_is_too_large_is_refused(checkout: Checkout) -> None:
    """It is refused before it is read, if its length is given."""
    status, answer = await checkout.post("order", "/orders", None, raw=b'"' + b"x" * 1_000_000 + b'"')
    assert status == 413
    assert "bytes" in answer["detail"]


@pytest.mark.parametrize(
    "order_id", ["nobody", "a%7C%7Cb", "%00", "%ef%bf%bd", "x" * 250, "..%2f..", "'; drop table state"]
)
async def test_an_order_nobody_placed_is_not_found(checkout: Checkout, order_id: str) -> None:
    """This holds for every form of id, for showing and for cancelling."""
    assert (await checkout.get("order", f"/orders/{order_id}"))[0] in (404, 422)
    status, _ = await checkout.post("order", f"/orders/{order_id}/cancel", {"reason": "x"})
    assert status in (404, 422)


@pytest.mark.parametrize("key", ["with space", "x" * 129, "\u00e9"])
async def test_a_bad_idempotency_key_is_refused(checkout: Checkout, key: str) -> None:
    """A key that could be cut or folded on its way would make two requests one."""
    status, answer = await checkout.post("order", "/orders", ORDER, key)
    assert status == 422
    assert "Idempotency-Key" in str(answer)


async def test_a_key_is_made_for_a_client_without_one(checkout: Checkout) -> None:
    """The key is returned, so that the client can retry with it."""
    _, answer, headers = await checkout.post_with_headers("order", "/orders", ORDER)
    assert headers["Location"] == f"/orders/{answer['order_id']}"
    _, again = await checkout.post("order", "/orders", ORDER, headers["Idempotency-Key"])
    assert again == answer


async def test_what_is_no_command_is_answered_as_the_framework_does(checkout: Checkout) -> None:
    """Only commands bypass it; its pages still show them."""
    assert (await checkout.put("order", "/orders", ORDER))[0] == 405
    assert (await checkout.post("order", "/nothing-here", ORDER))[0] == 404
    assert (await checkout.post("order", "/orders/one/cancel/now", ORDER))[0] == 404
    _, told = await checkout.get("order", "/openapi.json")
    assert set(told["paths"]["/orders"]) == {"post", "get"}


@pytest.mark.parametrize("path", ["/events", "/undelivered", "/job/anything"])
async def test_only_the_sidecar_may_deliver(checkout: Checkout, path: str) -> None:
    """A client that reaches the port without the token is refused."""
    for headers in ({}, {"dapr-api-token": "guessed"}):
        async with (
            aiohttp.ClientSession() as session,
            session.post(checkout.flow.address("order") + path, json={"entries": []}, headers=headers) as response,
        ):
            assert response.status == 401


@pytest.mark.parametrize("name", ["unheard-of", "accepted-unheard-of"])
async def test_a_job_that_says_nothing_is_quarantined(checkout: Checkout, name: str) -> None:
    """Otherwise it would be fired for ever, or 404 would count as done and leave no trace."""
    headers = {"dapr-api-token": checkout.flow.app_token("order")}
    before = len(await checkout.dead_letters("order"))
    job = {"x": uuid.uuid4().hex}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{checkout.flow.address('order')}/job/{name}", json=job, headers=headers) as response,
    ):
        assert response.status == 200
    letters = await checkout.until(lambda: checkout.dead_letters("order"), lambda found: len(found) > before)
    assert any(job["x"] in letter["event"] for letter in letters)


async def test_hostile_events_end_in_quarantine_and_hurt_nobody(checkout: Checkout) -> None:
    """Every process lives, every hostile event is accounted for with its reason, and other orders go through."""
    services = ("order", "inventory", "billing", "shipping", "notification")
    pids = {name: checkout.flow.pid(name) for one in services for name in (one, f"{one}-sidecar")}
    before = len(await checkout.dead_letters("order"))
    for raw in HOSTILE.values():
        await checkout.inject("order.created", raw)
    letters = await checkout.until(
        lambda: checkout.dead_letters("order"), lambda found: len(found) >= before + len(HOSTILE)
    )
    assert len(letters) == before + len(HOSTILE)
    assert all(letter["reason"] for letter in letters)
    sku = f"sku-{uuid.uuid4().hex[:8]}"
    await checkout.stock(sku, 1)
    await checkout.ended(await checkout.place(sku), "completed")
    assert {name: checkout.flow.pid(name) for name in pids} == pids


async def test_a_hostile_trace_does_not_end_the_sidecar(checkout: Checkout) -> None:
    """The event is valid, only its trace is not: it runs without a trace."""
    pid = checkout.flow.pid("order-sidecar")
    order_id = uuid.uuid4().hex
    data = {"order_id": order_id} | ORDER | {"total": 100}
    raw = order_event(data=data, subject=order_id, traceparent=5, traceid={"a": 1})
    await checkout.inject("order.created", raw)
    await checkout.until(lambda: checkout.order(order_id), lambda one: one.get("status") in ("placed", "cancelled"))
    assert checkout.flow.pid("order-sidecar") == pid


async def test_an_id_with_the_stores_separator_is_an_ordinary_id(checkout: Checkout) -> None:
    """Keys are made of hashes, so it cannot make a bulk get or a transaction fail."""
    order_id = f"a||b-{uuid.uuid4().hex}"
    raw = order_event(
        id=f"x||y||{uuid.uuid4().hex}", data={"order_id": order_id} | ORDER | {"total": 100}, subject=order_id
    )
    await checkout.inject("order.created", raw)
    _, order = await checkout.until(
        lambda: checkout.get("order", f"/orders/{order_id}"), lambda answer: answer[0] == 200
    )
    assert order["order_id"] == order_id


async def test_the_same_id_with_another_content_is_set_aside(checkout: Checkout) -> None:
    """It is not a repeat, and only a person can tell which one is true."""
    order_id = uuid.uuid4().hex
    data = {"order_id": order_id} | ORDER | {"total": 100}
    first = order_event(id=order_id, data=data, subject=order_id)
    await checkout.inject("order.created", first)
    await checkout.until(lambda: checkout.get("order", f"/orders/{order_id}"), lambda answer: answer[0] == 200)
    await checkout.inject("order.created", first.replace(b'"customer_id":"c"', b'"customer_id":"thief"'))
    letters = await checkout.until(
        lambda: checkout.dead_letters("order"),
        lambda found: any(letter["event_id"].startswith(f"{order_id}~") for letter in found),
    )
    assert letters
    assert (await checkout.order(order_id))["customer_id"] == "c"
