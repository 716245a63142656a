"""Quarantine: a poison event is recorded with its reason, never lost, and reported on the dead-letter topic."""

from __future__ import annotations

import traceback
from datetime import datetime
from typing import Final

import orjson

from choreography.engine.delivery import QUARANTINED_TYPE
from choreography.engine.envelope import Envelope
from choreography.engine.identity import derived_id, hashed
from choreography.engine.plan import Plan
from choreography.engine.records import Outcome, Outgoing, Quarantined
from choreography.errors import NotYetError
from choreography.topics import dead_letters

_SHOWN_EVENT: Final = 24 * 1024
_SHOWN_STACK: Final = 4 * 1024
_SHOWN_REASON: Final = 2 * 1024


def quarantine_outcome(service: str, plan: Plan, bad: Quarantined, now: datetime) -> Outcome:
    """Return the outcome of a quarantined event: its quarantine record, and its dead letter."""
    delivery = plan.delivery
    bad = bad._replace(topic=delivery.topic, inside=delivery.inside)
    bad = bad._replace(reason=beginning(bad.reason, _SHOWN_REASON), stack=beginning(bad.stack, 2 * _SHOWN_STACK))
    shown = beginning(bad.event, _SHOWN_EVENT)
    envelope = delivery.envelope
    record_id = hashed(plan.identity)
    told = Envelope(
        id=derived_id(plan.identity, service, "quarantine", str(bad.attempts)),
        type=QUARANTINED_TYPE,
        source=service,
        subject=record_id,
        time=now,
        flow_id=(envelope.flow_id if envelope else "") or record_id,
        causation_id=envelope.id if envelope else "",
        traceparent=delivery.traceparent,
        data={
            "service": service,
            "event_id": plan.identity,
            "event_type": delivery.type,
            "topic": bad.topic,
            "reason": bad.reason,
            "attempts": bad.attempts,
            "stack": bad.stack,
            "event": shown,
            "whole": shown == bad.event and not delivery.cut,
        },
    )
    outgoing = Outgoing(dead_letters(service), record_id, told.encode())
    return Outcome(
        plan.identity, plan.digest, now, events=(outgoing,), quarantined=bad, type=delivery.type, flow_id=told.flow_id
    )


def beginning(text: str, most: int) -> str:
    """Return as much of a text as fits into so many bytes of JSON, so that a dead letter is never too large."""
    text = text[:most].encode("utf-8", "backslashreplace").decode()
    while len(orjson.dumps(text)) > most + 2:
        text = text[: len(text) * 3 // 4]
    return text


def failed(error: Exception, attempts: int, event: str) -> Quarantined:
    """Return the record of a reaction's failure."""
    if isinstance(error, NotYetError):
        return Quarantined(str(error), 0, "", event, error.needs)
    stack = "".join(traceback.format_exception(error))[-_SHOWN_STACK:]
    return Quarantined(f"{type(error).__name__}: {error}"[:1000], attempts, stack, event)


def conflict_identity(plan: Plan) -> str:
    """Return the id under which an event is quarantined if its own id belongs to another event."""
    return f"{plan.identity}~{plan.digest}"
