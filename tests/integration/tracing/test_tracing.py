"""One order is one trace, from the HTTP request to the notification, as Zipkin itself tells it."""

from __future__ import annotations

import uuid
from typing import Any

from tests.integration.checkout_client import Checkout

SERVICES = {"order", "inventory", "billing", "shipping", "notification"}


async def test_one_order_is_one_trace_without_a_gap(checkout: Checkout) -> None:
    """All five services are in it, and no span's parent is missing."""
    sku = f"sku-{uuid.uuid4().hex[:8]}"
    await checkout.stock(sku, 1)
    order_id = await checkout.place(sku)
    await checkout.ended(order_id, "completed")
    events = await checkout.events(order_id)
    traces = {event.attributes["traceparent"].split("-")[1] for event in events}
    assert len(traces) == 1
    trace_id = traces.pop()

    found = await checkout.until(
        lambda: _spans(checkout, trace_id),
        lambda all_spans: _services(all_spans) >= SERVICES and not _orphans(all_spans),
    )
    assert not _orphans(found)
    names = {span["name"] for span in found}
    assert any("order.created.v1" in name for name in names), names
    assert any("order.completed.v1" in name for name in names), names


async def test_a_view_continues_the_trace_of_whoever_asks(checkout: Checkout) -> None:
    """Its span is named for its route, so that it is found beside that of the command under the same path."""
    trace_id = uuid.uuid4().hex
    asked = {"traceparent": f"00-{trace_id}-{'1' * 16}-01"}
    assert (await checkout.get("inventory", "/stock/nothing-of-the-kind", asked))[0] == 404

    found = await checkout.until(
        lambda: _spans(checkout, trace_id), lambda seen: "get /stock/{sku}" in {span["name"].lower() for span in seen}
    )
    assert next(span for span in found if span.get("kind") == "SERVER")["tags"]["http.response.status_code"] == "404"


async def _spans(checkout: Checkout, trace_id: str) -> list[dict[str, Any]]:
    status, found = await checkout.get("zipkin", f"/api/v2/trace/{trace_id}")
    return list(found) if status == 200 else []


def _services(spans: list[dict[str, Any]]) -> set[str]:
    return {span["localEndpoint"]["serviceName"] for span in spans}


def _orphans(spans: list[dict[str, Any]]) -> list[str]:
    ids = {span["id"] for span in spans}
    return [span["name"] for span in spans if span.get("parentId") not in (None, *ids)]
