"""Order: accepts what customers want and follows what the others say about it."""

from typing import Any
from uuid import uuid4

from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from bench.quickstart.dapr import PUBSUB, CloudEvent, change, load, publish

app = FastAPI()
dapr_app = DaprApp(app)


class Line(BaseModel):
    """So many of one thing."""

    sku: str
    quantity: int = Field(ge=1)
    unit_price: int = Field(ge=1)


class NewOrder(BaseModel):
    """What a customer sends."""

    customer_id: str
    currency: str
    lines: list[Line]


@app.get("/readyz")
def ready() -> dict[str, str]:
    """Say that it serves."""
    return {"status": "ready"}


@app.post("/orders", status_code=202)
def place(new: NewOrder) -> dict[str, str]:
    """Accept an order."""
    order_id = uuid4().hex
    total = sum(line.quantity * line.unit_price for line in new.lines)
    order = {"order_id": order_id, **new.model_dump(), "total": total}
    change(order_id, lambda _: {**order, "status": "placed"})
    publish("orders", "order.created.v1", order)
    return {"order_id": order_id, "status": "accepted"}


@app.get("/orders/{order_id}")
def show(order_id: str) -> dict[str, Any]:
    """Show an order."""
    order = load(order_id)
    if order is None:
        raise HTTPException(404)
    return order


@dapr_app.subscribe(pubsub=PUBSUB, topic="shipments")
def on_shipment(event: CloudEvent) -> dict[str, bool]:
    """The parcel has left, so the order is completed."""
    if event.type == "shipment.dispatched.v1":
        order = end(event.data["order_id"], "completed", "")
        if order:
            publish("orders", "order.completed.v1", {key: order[key] for key in ("order_id", "customer_id")})
    return {"success": True}


@dapr_app.subscribe(pubsub=PUBSUB, topic="stock")
def on_stock(event: CloudEvent) -> dict[str, bool]:
    """Without stock the order cannot be fulfilled."""
    if event.type == "stock.rejected.v1":
        cancel(event.data)
    return {"success": True}


@dapr_app.subscribe(pubsub=PUBSUB, topic="payments")
def on_payment(event: CloudEvent) -> dict[str, bool]:
    """Without payment the order will not be fulfilled."""
    if event.type == "payment.declined.v1":
        cancel(event.data)
    return {"success": True}


def cancel(told: dict[str, Any]) -> None:
    """Cancel an order that has not ended."""
    order = end(told["order_id"], "cancelled", told["reason"])
    if order:
        said = {key: order[key] for key in ("order_id", "customer_id", "reason", "lines")}
        publish("orders", "order.cancelled.v1", said)


def end(order_id: str, status: str, reason: str) -> dict[str, Any] | None:
    """End an order, once."""
    return change(
        order_id,
        lambda order: {**order, "status": status, "reason": reason} if order.get("status") == "placed" else None,
    )
