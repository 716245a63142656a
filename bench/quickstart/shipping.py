"""Shipping: waits until an order is both reserved and paid, then dispatches it."""

from typing import Any

from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI

from bench.quickstart.dapr import PUBSUB, CloudEvent, change, publish

app = FastAPI()
dapr_app = DaprApp(app)


@app.get("/readyz")
def ready() -> dict[str, str]:
    """Say that it serves."""
    return {"status": "ready"}


@dapr_app.subscribe(pubsub=PUBSUB, topic="stock")
def on_stock(event: CloudEvent) -> dict[str, bool]:
    """The goods are set aside."""
    if event.type == "stock.reserved.v1":
        note(event.data["order_id"], "reserved")
    return {"success": True}


@dapr_app.subscribe(pubsub=PUBSUB, topic="payments")
def on_payment(event: CloudEvent) -> dict[str, bool]:
    """The customer paid."""
    if event.type == "payment.charged.v1":
        note(event.data["order_id"], "paid")
    return {"success": True}


def note(order_id: str, what: str) -> None:
    """Remember what came, and dispatch once both have."""

    def noted(shipment: dict[str, Any]) -> dict[str, Any] | None:
        known = {**shipment, what: True}
        if shipment.get("status") == "dispatched":
            return None
        return known | {"status": "dispatched"} if known.get("reserved") and known.get("paid") else known

    shipment = change(order_id, noted)
    if shipment and shipment.get("status") == "dispatched":
        publish("shipments", "shipment.dispatched.v1", {"order_id": order_id})
