"""The rules about orders, money, stock and parcels that hold after any fault."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

from faults.audit.evidence import Evidence
from faults.audit.finding import Finding

BOUND: Final = 60.0
"""Seconds after which an order must have ended, counted from when it was sent or from when the last fault healed."""

_UNDONE: Final = {
    "payment": {"declined", "refunded", "cancelled"},
    "reservation": {"rejected", "released", "cancelled"},
}


def judge(evidence: Evidence) -> Iterable[Finding]:
    """Judge every rule of this module."""
    orders = evidence.stores["order"].states("order", "order_id")
    yield from _orders(evidence, orders)
    yield from _money(evidence, orders)
    yield from _stock(evidence, orders)
    yield from _parcels(evidence, orders)


def _orders(evidence: Evidence, orders: dict[str, dict[str, Any]]) -> Iterable[Finding]:
    accepted = {one: ordered for ordered in evidence.orders for one in ordered.order_ids}
    refused = [ordered.key for ordered in evidence.orders if ordered.refused]
    yield Finding("Every order is taken, however often it is sent", "lost", len(evidence.orders), refused)
    yield Finding(
        "Every accepted order is known", "lost", len(accepted), [one for one in accepted if one not in orders]
    )
    twice = [ordered.key for ordered in evidence.orders if len(ordered.order_ids) > 1]
    yield Finding("A request sent twice is one order", "doubled", len(evidence.orders), twice)
    more = [f"{len(orders)} orders of {len(evidence.orders)} requests"] if len(orders) > len(evidence.orders) else []
    yield Finding("Nobody made up an order", "doubled", len(orders), more)
    other = [one for one in accepted if one in orders and orders[one]["total"] != accepted[one].total]
    yield Finding("Orders are what was asked for", "wrong", len(accepted), other)
    unfinished = [one for one, order in orders.items() if order["status"] not in ("completed", "cancelled")]
    yield Finding("Every order ended", "unfinished", len(orders), unfinished)
    late = [f"{one} after {seconds:.0f} s" for one, seconds in evidence.late.items() if seconds > BOUND]
    yield Finding(f"Every order ended within {BOUND:.0f} s of calm", "unfinished", len(evidence.late), late)
    notices = evidence.stores["notification"].states("notice", "order_id")
    untold = [one for one, order in orders.items() if notices.get(one, {}).get("told") != order["status"]]
    yield Finding("Every customer was told how it ended", "lost", len(orders), untold)


def _money(evidence: Evidence, orders: dict[str, dict[str, Any]]) -> Iterable[Finding]:
    charges: dict[str, list[int]] = defaultdict(list)
    refunds: dict[str, list[int]] = defaultdict(list)
    strange: list[str] = []
    for entry in evidence.entries:
        match entry["kind"]:
            case "charge":
                charges[entry["order_id"]].append(entry["amount"])
            case "refund":
                refunds[entry["order_id"]].append(entry["amount"])
            case "decline":
                pass
            case other:
                strange.append(f"{other} for {entry['order_id']}")
        if entry["order_id"] not in orders:
            strange.append(f"{entry['kind']} for {entry['order_id']}, which nobody ordered")
    yield Finding("The provider was asked for nothing odd", "wrong", len(evidence.entries), strange)
    twice = [one for one in charges.keys() | refunds.keys() if len(charges[one]) > 1 or len(refunds[one]) > 1]
    yield Finding("Nobody was charged or refunded twice", "doubled", len(charges), twice)
    completed = {one: order["total"] for one, order in orders.items() if order["status"] == "completed"}
    unpaid = [one for one, total in completed.items() if charges[one] != [total] or refunds[one]]
    yield Finding("Completed orders are paid", "wrong", len(completed), unpaid)
    cancelled = [one for one, order in orders.items() if order["status"] == "cancelled"]
    kept = [one for one in cancelled if sum(charges[one]) != sum(refunds[one])]
    yield Finding("Cancelled orders cost nothing", "wrong", len(cancelled), kept)


def _stock(evidence: Evidence, orders: dict[str, dict[str, Any]]) -> Iterable[Finding]:
    shelves = evidence.stores["inventory"].states("shelf", "sku")
    sold: Counter[str] = Counter()
    for order in orders.values():
        if order["status"] == "completed":
            for line in order["lines"]:
                sold[line["sku"]] += line["quantity"]
    lost = [
        f"{sku}: {shelves.get(sku)} of {quantity}"
        for sku, quantity in evidence.delivered.items()
        if sku not in shelves or shelves[sku]["available"] + shelves[sku]["taken"] != quantity
    ]
    yield Finding("Stock adds up to what came in", "wrong", len(shelves), lost)
    mistaken = [
        f"{sku}: {shelf['taken']} taken, {sold[sku]} sold"
        for sku, shelf in shelves.items()
        if shelf["taken"] != sold[sku]
    ]
    yield Finding("Exactly what was sold was taken", "wrong", sold.total(), mistaken)
    below = [sku for sku, shelf in shelves.items() if shelf["available"] < 0 or shelf["taken"] < 0]
    yield Finding("Stock is not below zero", "wrong", len(shelves), below)


def _parcels(evidence: Evidence, orders: dict[str, dict[str, Any]]) -> Iterable[Finding]:
    first: dict[tuple[str, str], tuple[int, int]] = {}
    dispatched: dict[str, set[str]] = defaultdict(set)
    ends: dict[str, set[str]] = defaultdict(set)
    for message in evidence.messages:
        event = message.event
        if event is None or message.raw in evidence.hostile or not isinstance(event.get("data"), dict):
            continue
        wire_type, order_id = str(event.get("type")), str(event["data"].get("order_id", ""))
        first[wire_type, order_id] = min(first.get((wire_type, order_id), message.place), message.place)
        if wire_type == "shipment.dispatched.v1":
            dispatched[order_id].add(message.identity)
        if wire_type in ("order.completed.v1", "order.cancelled.v1"):
            ends[order_id].add(wire_type)
    paid = {entry["order_id"] for entry in evidence.entries if entry["kind"] == "charge"}
    yield Finding(
        "At most one parcel per order",
        "doubled",
        len(dispatched),
        [one for one, ids in dispatched.items() if len(ids) > 1],
    )
    unpaid = [
        one
        for one in dispatched
        if one not in paid or first.get(("payment.charged.v1", one), (2**63, 0)) > first["shipment.dispatched.v1", one]
    ]
    yield Finding("No parcel leaves before it is paid", "wrong", len(dispatched), unpaid)
    both = [one for one, told in ends.items() if len(told) > 1]
    yield Finding("No order ends in two ways", "wrong", len(ends), both)
    yield Finding("All services agree on how it ended", "wrong", len(orders), list(_disagreeing(evidence, orders)))


def _disagreeing(evidence: Evidence, orders: dict[str, dict[str, Any]]) -> Iterable[str]:
    payments = evidence.stores["billing"].states("payment", "order_id")
    reservations = evidence.stores["inventory"].states("reservation", "order_id")
    shipments = evidence.stores["shipping"].states("shipment", "order_id")
    for one, order in orders.items():
        payment = payments.get(one, {}).get("state", {}).get("status")
        reservation, shipment = (held.get(one, {}).get("status") for held in (reservations, shipments))
        if order["status"] == "completed":
            fits = (payment, reservation, shipment) == ("charged", "held", "dispatched")
        else:
            fits = payment in _UNDONE["payment"] and reservation in _UNDONE["reservation"] and shipment != "dispatched"
        if not fits:
            yield f"{one}: {order['status']}, payment {payment}, reservation {reservation}, shipment {shipment}"
