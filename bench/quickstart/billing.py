"""Billing: charges the customer through the payment provider, and refunds when the order is cancelled."""

import os
from typing import Any

import requests
from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI

from bench.quickstart.dapr import PUBSUB, CloudEvent, change, publish

PROVIDER = os.environ["OUTSIDE_PAYMENT_PROVIDER"]

app = FastAPI()
dapr_app = DaprApp(app)
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))


@app.get("/readyz")
def ready() -> dict[str, str]:
    """Say that it serves."""
    return {"status": "ready"}


@dapr_app.subscribe(pubsub=PUBSUB, topic="orders")
def on_order(event: CloudEvent) -> dict[str, bool]:
    """React to new and to cancelled orders."""
    match event.type:
        case "order.created.v1":
            charge(event.data)
        case "order.cancelled.v1":
            give_back(event.data["order_id"])
        case _:
            pass
    return {"success": True}


def charge(order: dict[str, Any]) -> None:
    """Charge for a new order."""
    order_id = order["order_id"]
    money = {"amount": order["total"], "currency": order["currency"]}
    reply = session.post(
        f"{PROVIDER}/charges",
        json={"order_id": order_id, "customer_id": order["customer_id"], **money},
        headers={"Idempotency-Key": order_id},
        timeout=30,
    )
    answer = reply.json()
    if reply.status_code == 402:
        if change(order_id, lambda earlier: None if earlier else {"status": "declined"}):
            said = {"order_id": order_id, **money, "reason": answer["reason"]}
            publish("payments", "payment.declined.v1", said)
        return
    reply.raise_for_status()
    charged = {"status": "charged", "charge_id": answer["charge_id"], **money}
    if change(order_id, lambda earlier: None if earlier else charged):
        publish("payments", "payment.charged.v1", {"order_id": order_id, **money})
    else:
        refund(order_id, charged)


def give_back(order_id: str) -> None:
    """Refund what was charged, or remember that the order was cancelled before."""
    before: dict[str, Any] = {}

    def cancelled(payment: dict[str, Any]) -> dict[str, Any] | None:
        before.clear()
        before.update(payment)
        match payment.get("status"):
            case "charged":
                return {**payment, "status": "refunding"}
            case None:
                return {"status": "cancelled"}
            case _:
                return None

    payment = change(order_id, cancelled)
    if payment and before:
        refund(order_id, payment)


def refund(order_id: str, payment: dict[str, Any]) -> None:
    """Refund a charge."""
    reply = session.post(
        f"{PROVIDER}/refunds",
        json={"order_id": order_id, "charge_id": payment["charge_id"], "amount": payment["amount"]},
        headers={"Idempotency-Key": f"{order_id}-refund"},
        timeout=30,
    )
    reply.raise_for_status()
    change(order_id, lambda _: {**payment, "status": "refunded"})
    said = {"order_id": order_id, "amount": payment["amount"], "currency": payment["currency"]}
    publish("payments", "payment.refunded.v1", said)
