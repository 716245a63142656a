"""Events as a broker delivers them, and shorthands for looking into a store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson

from choreography import Entity, Event
from choreography.engine.delivery import NUDGE_TYPE, REPLAY_TYPE, Delivery, read_delivery
from choreography.engine.envelope import as_text
from choreography.engine.identity import Key
from choreography.engine.records import EntityRecord
from tests.unit.engine.replica import NOON, World

Kind = TypeVar("Kind", bound=Entity)


def wire(event: Event, event_id: str, **changes: Any) -> dict[str, Any]:
    """Return an event as a CloudEvent; an attribute that is changed to None is left out."""
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "type": event.wire_type,
        "source": type(event).owned_by or "street",
        "subject": event.subject,
        "time": as_text(NOON - timedelta(seconds=5)),
        "flowid": "flow-1",
        "causationid": "cause-1",
        "data": event.model_dump(mode="json"),
    } | changes
    return {name: value for name, value in attributes.items() if value is not None}


def came(event: Event, event_id: str, **changes: Any) -> Delivery:
    """Return the delivery of an event."""
    return read_delivery(orjson.dumps(wire(event, event_id, **changes)))


def raw(attributes: Any) -> Delivery:
    """Return the delivery of any value."""
    return read_delivery(orjson.dumps(attributes))


def fired(encoded: str) -> Delivery:
    """Return a deadline as the scheduler delivers it."""
    delivery = read_delivery(encoded.encode())
    return Delivery(delivery.envelope, delivery.raw, delivery.identity, inside=True)


def nudge(nudge_id: str, *events: dict[str, Any]) -> Delivery:
    """Return a request to publish again the events that these events caused."""
    return _control(nudge_id, NUDGE_TYPE, {"events": list(events)})


def replay(replay_id: str, *events: dict[str, Any], service: str = "desk") -> Delivery:
    """Return a request to run quarantined events again."""
    return _control(replay_id, REPLAY_TYPE, {"service": service, "events": list(events)})


def _control(control_id: str, wire_type: str, data: dict[str, Any]) -> Delivery:
    return raw(
        {
            "specversion": "1.0",
            "id": control_id,
            "type": wire_type,
            "source": "chronicle",
            "subject": "flow-1",
            "time": as_text(NOON),
            "data": data,
        }
    )


def record_of(world: World, kind: type[Entity], logical_id: str) -> EntityRecord | None:
    """Return an entity's record."""
    row = world.store.rows.get(str(Key(world.service.name, kind.kind, logical_id)))
    return EntityRecord.decode(row.value) if row else None


def state_of(world: World, kind: type[Kind], logical_id: str) -> Kind | None:
    """Return an entity's state."""
    record = record_of(world, kind, logical_id)
    return kind.model_validate_json(orjson.dumps(record.state)) if record and record.state is not None else None


def ago(delta: timedelta, since: datetime = NOON) -> str:
    """Return a moment in the past, as it stands in an envelope."""
    return as_text(since - delta)
