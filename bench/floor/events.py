"""What follows from an event, decided by the event alone: the order's fate travels with it."""

import os
from typing import Any

import orjson

from bench.orders import CARD_LIMIT, SOLD_OUT

TOPIC = {"order": "orders", "inventory": "stock", "billing": "payments", "shipping": "shipments"}

_Data = dict[str, Any]


def follow(service: str, wire_type: str, data: _Data) -> list[tuple[str, _Data]]:
    """Return what a service says after an event, as wire types and data."""
    fate = data["fate"]
    money = {"amount": data.get("total", data.get("amount", 0)), "currency": data.get("currency", "EUR")}
    kept = {name: data[name] for name in ("order_id", "customer_id", "fate", "lines") if name in data}
    match service, wire_type, fate:
        case "inventory", "order.created.v1", "rejected":
            return [("stock.rejected.v1", kept | {"reason": f"not enough {SOLD_OUT}"})]
        case "inventory", "order.created.v1", _:
            return [("stock.reserved.v1", kept)]
        case "billing", "order.created.v1", "declined":
            return [("payment.declined.v1", kept | money | {"reason": "the amount is above the card's limit"})]
        case "billing", "order.created.v1", _:
            return [("payment.charged.v1", kept | money)]
        case "shipping", "payment.charged.v1", "happy":
            return [("shipment.dispatched.v1", kept)]
        case "order", "shipment.dispatched.v1", _:
            return [("order.completed.v1", kept)]
        case "order", "stock.rejected.v1" | "payment.declined.v1", _:
            return [("order.cancelled.v1", kept | {"reason": data["reason"]})]
        case "inventory", "order.cancelled.v1", "declined":
            return [("stock.released.v1", kept)]
        case "billing", "order.cancelled.v1", "rejected":
            return [("payment.refunded.v1", kept | money)]
        case _:
            return []


def created(order_id: str, new: _Data) -> _Data:
    """Return the data of a new order, with its fate."""
    lines = new["lines"]
    total = sum(line["quantity"] * line["unit_price"] for line in lines)
    sold_out = any(line["sku"] == SOLD_OUT for line in lines)
    fate = "rejected" if sold_out else "declined" if total > CARD_LIMIT else "happy"
    return {"order_id": order_id, **new, "total": total, "fate": fate}


def encode(service: str, wire_type: str, data: _Data, moment: str, cause: str) -> bytes:
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
