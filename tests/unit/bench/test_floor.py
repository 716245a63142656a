"""The floor publishes the same events as the real services, so that it is a floor of the same flow."""

from __future__ import annotations

import orjson
import pytest

from bench.floor.events import TOPIC, created, follow
from bench.orders import Fate, order, orders

_HEARS = {
    "inventory": ("orders",),
    "billing": ("orders",),
    "shipping": ("stock", "payments"),
    "order": ("shipments", "stock", "payments"),
}


def dance(fate: Fate) -> list[str]:
    """Let one order of this fate run to its end, and return all published events."""
    chosen = next(one for one in orders(0, 100) if one.fate == fate)
    waiting = [("orders", "order.created.v1", created("o1", orjson.loads(chosen.body)))]
    said: list[str] = []
    while waiting:
        topic, wire_type, data = waiting.pop(0)
        said.append(wire_type)
        for service in (name for name, topics in _HEARS.items() if topic in topics):
            follows = follow(service, wire_type, data)
            waiting += [(TOPIC[service], *follows)] if follows else []
    return said


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        (
            "happy",
            "order.created stock.reserved payment.charged shipment.dispatched order.completed",
        ),
        ("declined", "order.created stock.reserved payment.declined order.cancelled stock.released"),
        ("rejected", "order.created stock.rejected payment.charged order.cancelled payment.refunded"),
    ],
)
def test_an_order_leads_to_the_events_of_the_checkout(fate: Fate, said: str) -> None:
    """It leads to as many events, of the same types, for every end of the order."""
    assert sorted(dance(fate)) == sorted(f"{one}.v1" for one in said.split())


def test_the_fate_is_read_from_the_order() -> None:
    """Only the order knows its fate, as the floor reads no state."""
    assert [created("o", orjson.loads(order(number).body))["fate"] for number in range(100)] == [
        order(number).fate for number in range(100)
    ]
