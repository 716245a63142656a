"""What follows from an event, decided by the event alone: the order's fate travels with it."""

import os
from typing import Any, Final

import orjson

from bench.orders import CARD_LIMIT, SOLD_OUT

TOPIC = {"order": "orders", "inventory": "stock", "billing": "payments", "shipping": "shipments"}

_LINES: Final = [{"sku": "article-50", "quantity": 1, "unit_price": 500}]
_FOLLOWS: Final[dict[tuple[str, str, str], str]] = {
    ("inventory", "order.created.v1", "happy"): "stock.reserved.v1",
    ("inventory", "order.created.v1", "declined"): "stock.reserved.v1",
    ("inventory", "order.created.v1", "rejected"): "stock.rejected.v1",
    ("inventory", "order.cancelled.v1", "declined"): "stock.released.v1",
    ("billing", "order.created.v1", "happy"): "payment.charged.v1",
    ("billing", "order.created.v1", "rejected"): "payment.charged.v1",
    ("billing", "order.created.v1", "declined"): "payment.declined.v1",
    ("billing", "order.cancelled.v1", "rejected"): "payment.refunded.v1",
    ("shipping", "payment.charged.v1", "happy"): "shipment.dispatched.v1",
    ("order", "shipment.dispatched.v1", "happy"): "order.completed.v1",
    ("order", "stock.rejected.v1", "rejected"): "order.cancelled.v1",
    ("order", "payment.declined.v1", "declined"): "order.cancelled.v1",
}
_SAYS: Final[dict[str, tuple[str, ...]]] = {
    "stock": (),
    "payment": ("amount", "currency"),
    "shipment": (),
    "order": ("customer_id",),
}
_REASON: Final = "not enough of it, or the amount is above the card's limit"


def follow(service: str, wire_type: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return what a service says after an event, if anything: wire type and data."""
    said = _FOLLOWS.get((service, wire_type, data["fate"]))
    if said is None:
        return None
    kept = {"order_id": data["order_id"], "fate": data["fate"]}
    # What a service with a state would look up is the same for every order here, and as long.
    known = {"customer_id": "customer-500", "amount": 500, "currency": "EUR", "lines": _LINES}
    kept |= {name: known[name] for name in _SAYS[said.partition(".")[0]]}
    if said.endswith(("rejected.v1", "declined.v1", "cancelled.v1")):
        kept["reason"] = _REASON
    if said == "order.cancelled.v1":
        kept["lines"] = _LINES
    return said, kept


def created(order_id: str, new: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a new order, with its fate."""
    lines = new["lines"]
    total = sum(line["quantity"] * line["unit_price"] for line in lines)
    sold_out = any(line["sku"] == SOLD_OUT for line in lines)
    fate = "rejected" if sold_out else "declined" if total > CARD_LIMIT else "happy"
    return {"order_id": order_id, **new, "total": total, "fate": fate}


def encode(service: str, wire_type: str, data: dict[str, Any], moment: str, cause: str) -> bytes:
    """Write an envelope as large as the one of the real service."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": os.urandom(16).hex(),
            "type": wire_type,
            "source": service,
            "subject": data["order_id"],
            "time": moment,
            "datacontenttype": "application/json",
            "flowid": data["order_id"],
            "causationid": cause,
            "data": data,
        }
    )
