"""Messages of an attacker with access to every topic: events of other publishers, by every route."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from apps.checkout.billing import billing
from apps.checkout.contracts import OrderCompleted, OrderCreated, PaymentCharged, StockReserved
from choreography.flow import services_of
from choreography.service import Service
from choreography.topics import CONTROL, canary, intents, undelivered

SERVICES: Final = services_of("apps.checkout")
EVERYBODY: Final = frozenset(service.name for service in SERVICES)
FOREIGN_TYPE: Final = "com.dapr.event.sent"
"""What Dapr's SDKs publish by default."""
_NOBODY: Final = frozenset[str]()
_LARGE: Final = 60
"""Events of a megabyte, sent at the same moment so that they are one batch."""


@dataclass(frozen=True)
class Forged:
    """One hostile message.

    Attributes:
        topic: the topic that it is sent to, by the flow's name for it.
        aside: the services that must quarantine it. Every other service that gets it must ignore it, or run it.
        ignored: the services that must count it by its type and do nothing else.
        kept: the text in their records, if it differs from the text of the message.
        metadata: the broker's metadata about it.
    """

    topic: str
    raw: bytes
    aside: frozenset[str] = _NOBODY
    ignored: frozenset[str] = _NOBODY
    kept: bytes = b""
    metadata: Mapping[str, str] = field(default_factory=dict)


def forged() -> list[Forged]:
    """Return one message of each kind and route, made anew so that two rounds send different ones."""
    return [*_facts(), *_from_inside(), *_control(), *_own_topics(), *_large(), *_foreign(), *_fast_clocks()]


def jobs() -> dict[bytes, str]:
    """Return bodies of jobs without content, and the name of the job that each is fired as."""
    once = uuid.uuid4().hex
    texts: Iterable[Any] = ({"x": once}, {"events": once}, {"commands": {"0": once}}, [once], once)
    bodies = [once.encode(), *map(orjson.dumps, texts)]
    return {body: f"{name}{once}" for body, name in zip(bodies, ["due-", "accepted-"] * len(bodies), strict=False)}


def event(wire_type: str, source: str, data: Mapping[str, Any], **changes: Any) -> bytes:
    """Return an event of this type that a careless reader would accept."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": uuid.uuid4().hex,
            "type": wire_type,
            "source": source,
            "subject": data.get("order_id", "hostile"),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "datacontenttype": "application/json",
            "data": data,
        }
        | changes
    )


def _hearing(topic: str, wire_type: str = "") -> frozenset[str]:
    """Return the services that subscribe to a topic and, if a type is named, react to it."""
    return frozenset(
        service.name for service in SERVICES if topic in service.hears and wire_type in {"", *service.subjects}
    )


def _paid(order_id: str) -> dict[str, Any]:
    return {"order_id": order_id, "amount": 100, "currency": "EUR"}


def _facts() -> Iterator[Forged]:
    """Return false events that an order is reserved and paid: on another service's topic, and with its source."""
    order_id = f"unpaid-{uuid.uuid4().hex}"
    charged, reserved = PaymentCharged.wire_type, StockReserved.wire_type
    for topic in sorted({topic for service in SERVICES for topic in service.hears} - {PaymentCharged.topic}):
        raw = event(charged, "billing", _paid(order_id))
        yield Forged(topic, raw, _hearing(topic, charged), _hearing(topic) - _hearing(topic, charged))
    for source in ("shipping", "Billing", "thief"):
        raw = event(charged, source, _paid(order_id))
        yield Forged(PaymentCharged.topic, raw, _hearing(PaymentCharged.topic, charged))
    raw = event(reserved, "thief", {"order_id": order_id})
    yield Forged(StockReserved.topic, raw, _hearing(StockReserved.topic, reserved))


def _from_inside() -> Iterator[Forged]:
    """Return events that never come by a broker: answers, deadlines, and other services' canaries and letters."""
    for service in SERVICES:
        topic = min(service.hears)
        for wire_type in (one for one, subject in service.subjects.items() if not subject.topic):
            raw = event(wire_type, service.name, {"order_id": f"made-up-{uuid.uuid4().hex}"})
            yield Forged(topic, raw, frozenset({service.name}), _hearing(topic) - {service.name})
    for name in ("canary", "quarantined", "nudge", "replay", "intent"):
        raw = event(f"choreography.{name}.v1", "thief", {})
        yield Forged(OrderCreated.topic, raw, _hearing(OrderCreated.topic))


def _control() -> Iterator[Forged]:
    """Return control events that name unknown things, or that no service can understand."""
    unclear: tuple[Any, ...] = (7, None, {}, [7], [None], ["an id"], [{}])
    for asked in unclear:
        yield Forged(CONTROL, event("choreography.nudge.v1", "thief", {"events": asked}), EVERYBODY)
    nobodys = orjson.loads(event(PaymentCharged.wire_type, "billing", _paid(f"unpaid-{uuid.uuid4().hex}")))
    yield Forged(CONTROL, event("choreography.nudge.v1", "thief", {"events": [nobodys]}))
    for service in SERVICES:
        made_up = nobodys | {"id": uuid.uuid4().hex}
        raw = event("choreography.replay.v1", "thief", {"service": service.name, "events": [made_up]})
        yield Forged(CONTROL, raw, frozenset({service.name}), kept=orjson.dumps(made_up["id"]))
    for addressee in (None, 5, ["shipping"]):
        raw = event("choreography.replay.v1", "thief", {"service": addressee, "events": [nobodys["id"]]})
        yield Forged(CONTROL, raw, EVERYBODY)
    yield from (Forged(CONTROL, raw, EVERYBODY) for raw in _garbage())


def _own_topics() -> Iterator[Forged]:
    """Return messages on a service's own topics: canaries, intents, and events that its sidecar could not deliver."""
    wide = {f"x-{number}": "y" * 1_000 for number in range(40)}
    for service in SERVICES:
        mine = frozenset({service.name})
        yield Forged(canary(service.name), event("choreography.canary.v1", "thief", {}), mine)
        for topic in (canary(service.name), undelivered(service.name)):
            yield from (Forged(topic, raw, mine, metadata=wide) for raw in _garbage())
    yield from _intents(billing)


def _intents(service: Service) -> Iterator[Forged]:
    mine, topic = frozenset({service.name}), intents(service.name)
    wish = {"effect": "charge_card", "key": uuid.uuid4().hex, "body": "{}", "flow_id": "f", "traceparent": ""}
    for source, changes in (("thief", {}), (service.name, {"body": 5}), (service.name, {"at": "soon"})):
        yield Forged(topic, event("choreography.intent.v1", source, wish | changes), mine)
    yield from (Forged(topic, raw, mine) for raw in _garbage())


def _garbage() -> list[bytes]:
    once = uuid.uuid4().hex
    return [once.encode(), orjson.dumps([once]), orjson.dumps({"id": once}), b'{"' + once.encode() + b'": "\xff"}']


def _large() -> Iterator[Forged]:
    padding = "x" * 1_000_000
    for number in range(_LARGE):
        raw = event(OrderCreated.wire_type, "order", {"order_id": f"large-{number}", "padding": padding})
        yield Forged(OrderCreated.topic, raw, _hearing(OrderCreated.topic))


def _foreign() -> Iterator[Forged]:
    for topic in sorted({topic for service in SERVICES for topic in service.hears}):
        raw = event(FOREIGN_TYPE, "shop", {"order_id": "foreign"}, subject=None)
        yield Forged(topic, raw, ignored=_hearing(topic))


def _fast_clocks() -> Iterator[Forged]:
    """Return sound events: ten minutes ahead of time (it is run at once), and two days ahead (it is quarantined)."""
    for ahead, aside in ((timedelta(minutes=10), _NOBODY), (timedelta(days=2), _hearing(OrderCompleted.topic))):
        data = {"order_id": f"ahead-{uuid.uuid4().hex}", "customer_id": "c"}
        moment = (datetime.now(UTC) + ahead).isoformat(timespec="milliseconds")
        yield Forged(OrderCompleted.topic, event(OrderCompleted.wire_type, "order", data, time=moment), aside)
