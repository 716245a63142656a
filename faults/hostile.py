"""Events that no service can run: anything that an attacker with access to the broker might send."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import orjson

LINE = {"sku": "apron", "quantity": 1, "unit_price": 100}
ORDER = {"customer_id": "c", "currency": "EUR", "lines": [LINE]}
GOOD = {"order_id": "hostile"} | ORDER | {"total": 100}


def order_event(**changes: Any) -> bytes:
    """Return a sound event with some attributes changed, or left out where the change is ``...``."""
    attributes = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "type": "order.created.v1",
        "source": "order",
        "subject": "hostile",
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
        "data": GOOD,
    } | changes
    return orjson.dumps({name: value for name, value in attributes.items() if value is not ...})


def hostile() -> dict[str, bytes]:
    """Return hostile events by their fault, each made anew so that two rounds send different ones."""
    event, once = order_event, uuid.uuid4().hex
    return {
        "no id": event(id=...),
        "an empty id": event(id=""),
        "an id that is a number": event(id=5),
        "an id of ten thousand characters": event(id="x" * 10_000),
        "an id with a NUL in it": event(id=f"a\u0000{once}"),
        "the replacement character in its id": event(id="a\ufffdb"),
        "no type": event(type=...),
        "a type that is a list": event(type=[once]),
        "no time": event(time=...),
        "a time without an offset": event(time="2026-01-01T00:00:00"),
        "a time long ago": event(time="2020-01-01T00:00:00Z"),
        "a time to come": event(time="2036-01-01T00:00:00Z"),
        "an unknown version": event(type="order.created.v9"),
        "no data": event(data=...),
        "data that is a text": event(data="hello"),
        "wrong types in its data": event(data={"order_id": 1, "customer_id": [], "lines": "no"}),
        "a number beyond every safe integer": event(data=GOOD | {"total": 2**63}),
        "an order of nothing": event(data=GOOD | {"lines": []}),
        "another specversion": event(specversion="0.3"),
        "no JSON": once.encode(),
        "a JSON list": orjson.dumps([once]),
        "broken UTF-8": b'{"' + once.encode() + b'": "\xff\xfe"}',
        "very deep nesting": b'{"' + once.encode() + b'":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        "a megabyte": event(data={"order_id": "big", "padding": "x" * 1_000_000}),
    }
