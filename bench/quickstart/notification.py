"""Notification: tells the customer how the order ended."""

from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI

from bench.quickstart.dapr import PUBSUB, CloudEvent, change

app = FastAPI()
dapr_app = DaprApp(app)


@app.get("/readyz")
def ready() -> dict[str, str]:
    """Say that it serves."""
    return {"status": "ready"}


@dapr_app.subscribe(pubsub=PUBSUB, topic="orders")
def on_order(event: CloudEvent) -> dict[str, bool]:
    """Remember what the customer was told."""
    told = {"order.completed.v1": "completed", "order.cancelled.v1": "cancelled"}.get(event.type)
    if told:
        notice = {"customer_id": event.data["customer_id"], "told": told, "reason": event.data.get("reason", "")}
        change(event.data["order_id"], lambda _: notice)
    return {"success": True}
