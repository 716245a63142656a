"""The checkout flow in one process, on the models of the engine's tests: a few orders for an auditor."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import Any

import orjson

from apps.checkout.billing import CardCharged, CardRefunded, CardRefused, Charge, Refund
from apps.checkout.contracts import CancellationRequested, Line, OrderCreated, StockAdded
from choreography import Event
from choreography.contracts import Answer
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.envelope import as_text
from choreography.engine.identity import derived_id
from choreography.engine.records import CommittedIntent
from choreography.flow import services_of
from faults.audit.evidence import Evidence, Message, Store, Waiting
from faults.orders import Ordered
from tests.unit.engine.replica import NOON, Replica, World

SKU = "apron"
LIMIT = 1_000


class SmallFlow:
    """Five services, one broker, one provider; every published event is delivered at once."""

    def __init__(self) -> None:
        self.worlds = {one.name: World(one, answers=self._answer) for one in services_of("apps.checkout")}
        self.replicas = {name: Replica(world) for name, world in self.worlds.items()}
        self.messages: list[tuple[str, str]] = []
        self.entries: list[dict[str, Any]] = []
        self.orders: list[Ordered] = []
        self._waiting: deque[tuple[str, str]] = deque()

    def say(self, event: Event, source: str) -> None:
        """Publish an event as a command would, and let all services react."""
        text = orjson.dumps(
            {
                "specversion": "1.0",
                "id": derived_id("said", str(len(self.messages))),
                "type": event.wire_type,
                "source": source,
                "subject": event.subject,
                "time": as_text(NOON - timedelta(seconds=5)),
                "flowid": event.subject,
                "causationid": "",
                "data": event.model_dump(mode="json"),
            }
        ).decode()
        self._waiting.append((event.topic, text))
        while self._waiting:
            self._hear(*self._waiting.popleft())

    def order(self, order_id: str, quantity: int = 1, price: int = 100) -> None:
        """Order something."""
        line = {"sku": SKU, "quantity": quantity, "unit_price": price}
        body = {"customer_id": "c", "currency": "EUR", "lines": [line]}
        self.orders.append(Ordered(f"run-{order_id}", body, None, order_ids={order_id}))
        self.say(
            OrderCreated(
                order_id=order_id,
                customer_id="c",
                currency="EUR",
                lines=(Line(sku=SKU, quantity=quantity, unit_price=price),),
                total=quantity * price,
            ),
            "order",
        )

    def fire(self) -> None:
        """Let every deadline pass."""
        for name, world in self.worlds.items():
            for due in world.scheduler.deadlines:
                read = read_delivery(due.encoded.encode())
                fired = Delivery(read.envelope, read.raw, read.identity, inside=True)
                assert self.replicas[name].deliver(fired) == [True]
                self._said_by(name)

    def _hear(self, topic: str, text: str) -> None:
        self.messages.append((topic, text))
        for name, replica in self.replicas.items():
            if topic not in self.worlds[name].service.hears:
                continue
            assert replica.deliver(read_delivery(text.encode())) == [True]
            self._said_by(name)

    def _said_by(self, name: str) -> None:
        published = self.worlds[name].broker.published
        self._waiting.extend((event.topic, event.encoded) for event in published)
        published.clear()

    def _answer(self, committed: CommittedIntent) -> Answer:
        entry = {"key": committed.key, "number": len(self.entries) + 1}
        if committed.effect == "charge_card":
            charge = Charge.model_validate_json(committed.body)
            kind = "decline" if charge.amount > LIMIT else "charge"
            self.entries.append(entry | {"kind": kind, "order_id": charge.order_id, "amount": charge.amount})
            if kind == "decline":
                return CardRefused(order_id=charge.order_id, reason="too much")
            return CardCharged(order_id=charge.order_id, charge_id=f"ch-{charge.order_id}")
        refund = Refund.model_validate_json(committed.body)
        self.entries.append(entry | {"kind": "refund", "order_id": refund.order_id, "amount": refund.amount})
        return CardRefunded(order_id=refund.order_id)

    def evidence(self) -> Evidence:
        """Return the evidence that an auditor reads afterwards."""
        ids = [one for ordered in self.orders for one in ordered.order_ids]
        return Evidence(
            orders=self.orders,
            ends=dict.fromkeys(ids, ("completed", 1.0)),
            late=dict.fromkeys(ids, 1.0),
            stores={
                name: Store.read(world.service, {key: row.value for key, row in world.store.rows.items()})
                for name, world in self.worlds.items()
            },
            messages=[
                Message.read(topic, f"{place}-0", text.encode()) for place, (topic, text) in enumerate(self.messages)
            ],
            dead_letters=[],
            groups=[Waiting(topic, "order", 0, 0) for topic in ("order.created", "stock.reserved")],
            entries=list(self.entries),
            delivered={SKU: 100},
            hostile=frozenset(),
            now=as_text(NOON + timedelta(days=1)),
        )


def played() -> SmallFlow:
    """Let a few orders end in every possible way."""
    flow = SmallFlow()
    flow.say(StockAdded(sku=SKU, quantity=100), "inventory")
    flow.order("completed")
    flow.order("too-dear", price=LIMIT + 1)
    flow.order("too-many", quantity=101, price=1)
    flow.say(CancellationRequested(order_id="in-time", reason="early"), "order")
    flow.order("in-time")
    flow.say(CancellationRequested(order_id="completed", reason="late"), "order")
    flow.fire()
    return flow
