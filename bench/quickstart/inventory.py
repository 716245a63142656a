"""Inventory: sets stock aside for an order, every line or none, and gives it back when the order is cancelled."""

from typing import Any

from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI
from pydantic import BaseModel

from bench.quickstart.dapr import PUBSUB, CloudEvent, change, load, publish

app = FastAPI()
dapr_app = DaprApp(app)


class NewStock(BaseModel):
    """Goods that came in."""

    sku: str
    quantity: int


@app.get("/readyz")
def ready() -> dict[str, str]:
    """Say that it serves."""
    return {"status": "ready"}


@app.post("/stock", status_code=202)
def add(new: NewStock) -> dict[str, str]:
    """Put goods on a shelf."""
    give_back([new.model_dump()])
    publish("stock", "stock.added.v1", new.model_dump())
    return {"sku": new.sku, "status": "accepted"}


@app.get("/stock/{sku}")
def show(sku: str) -> dict[str, Any]:
    """Show a shelf."""
    return load(f"shelf-{sku}") or {"available": 0}


@dapr_app.subscribe(pubsub=PUBSUB, topic="orders")
def on_order(event: CloudEvent) -> dict[str, bool]:
    """React to new and to cancelled orders."""
    match event.type:
        case "order.created.v1":
            reserve(event.data["order_id"], event.data["lines"])
        case "order.cancelled.v1":
            release(event.data["order_id"], event.data["lines"])
        case _:
            pass
    return {"success": True}


def reserve(order_id: str, lines: list[dict[str, Any]]) -> None:
    """Set every line aside, or none."""
    if load(f"reservation-{order_id}"):
        return
    taken: list[dict[str, Any]] = []
    for line in lines:
        if not take(line):
            give_back(taken)
            change(f"reservation-{order_id}", lambda _: {"status": "rejected"})
            reason = f"not enough {line['sku']}"
            publish("stock", "stock.rejected.v1", {"order_id": order_id, "reason": reason})
            return
        taken.append(line)
    if change(f"reservation-{order_id}", lambda earlier: None if earlier else {"status": "held"}):
        publish("stock", "stock.reserved.v1", {"order_id": order_id})
    else:
        give_back(taken)


def release(order_id: str, lines: list[dict[str, Any]]) -> None:
    """Put back what the order took, or remember that it must not take anything any more."""
    known = load(f"reservation-{order_id}")
    released = change(
        f"reservation-{order_id}",
        lambda earlier: {"status": "released"} if earlier.get("status", "held") == "held" else None,
    )
    if released and known:
        give_back(lines)
        publish("stock", "stock.released.v1", {"order_id": order_id})


def take(line: dict[str, Any]) -> bool:
    """Take goods off a shelf, if there are enough."""

    def fewer(shelf: dict[str, Any]) -> dict[str, Any] | None:
        left = shelf.get("available", 0) - line["quantity"]
        return {"available": left} if left >= 0 else None

    return change(f"shelf-{line['sku']}", fewer) is not None


def give_back(lines: list[dict[str, Any]]) -> None:
    """Put goods on their shelves."""
    for line in lines:
        quantity = line["quantity"]
        change(f"shelf-{line['sku']}", lambda shelf, more=quantity: {"available": shelf.get("available", 0) + more})  # type: ignore[misc]
