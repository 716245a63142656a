"""Control events: a nudge asks services to publish their recorded outcomes again, a replay runs quarantined events.

Both only refer to the service's own records. A nudge only looks outcomes up. A replay only names records: the service
runs the event that the record holds, and runs nothing without a record.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, Literal

import orjson

from choreography.engine.deciding import Settled
from choreography.engine.delivery import NUDGE_TYPE, REPLAY_TYPE, Delivery, read_delivery, read_parsed
from choreography.engine.envelope import Envelope, as_text
from choreography.engine.identity import LONGEST_ID, outcome_key
from choreography.engine.operations import Confirm, Operation, OperationResult, Stored
from choreography.engine.records import Outcome, decode_outcome
from choreography.topics import CONTROL

_LONGEST_NAME: Final = 2 * LONGEST_ID
"""A replay names a record by an id, or by an id and a digest."""


def read_control(delivery: Delivery, service: str) -> list[Delivery]:
    """Turn a nudge or a replay request into the deliveries it asks for.

    Data that cannot be understood becomes a delivery with a problem, so that it is quarantined with a dead letter. A
    replay for another service yields no deliveries.
    """
    envelope = delivery.envelope
    if envelope is None or envelope.type not in (NUDGE_TYPE, REPLAY_TYPE):
        return [delivery._replace(topic=CONTROL)]
    replayed = envelope.type == REPLAY_TYPE
    addressee, asked = envelope.data.get("service"), envelope.data.get("events")
    if replayed and isinstance(addressee, str) and addressee != service:
        return []
    if replayed and addressee != service:
        return [_refused(delivery, "A replay must name the service that keeps the records, as a text in 'service'.")]
    if not isinstance(asked, list):
        return [_refused(delivery, "It must name events, as a list in 'events'.")]
    read = [_replayed(one, envelope) if replayed else _nudged(one, envelope) for one in asked]
    wanted = [one._replace(traceparent=delivery.traceparent) for one in read if one is not None]
    strange = [str(place) for place, one in enumerate(read) if one is None]
    if strange:
        problem = f"Nobody can tell which events it means at the places {', '.join(strange[:20])} of 'events'."
        wanted.append(_refused(delivery, problem))
    return wanted


def _refused(delivery: Delivery, problem: str) -> Delivery:
    return delivery._replace(problem=f"The {delivery.type} cannot be understood. {problem}")


def _nudged(asked: Any, control: Envelope) -> Delivery | None:
    # An event published without a time has the time of its broker. That is enough, as only its outcome is looked up
    # here.
    read = read_parsed(asked, orjson.dumps(asked), taken=as_text(control.time))
    return read._replace(purpose="nudge", nudge=control.id, topic="") if read.envelope else None


def _replayed(asked: Any, control: Envelope) -> Delivery | None:
    """Name one record. Requests used to carry whole events; only the identity of such an event is used."""
    name = asked.get("eventid") or asked.get("id") if isinstance(asked, dict) else asked
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        return None
    return Delivery(None, orjson.dumps(name).decode(), name, purpose="replay", nudge=control.id)


def recorded(service: str, asked: Delivery) -> Generator[Operation, OperationResult, Delivery | Settled]:
    """Look up the record that a replay names.

    Returns:
        The event that the record holds, to be run as it was first delivered; or the fate of the request, if the record
        is resolved or the store cannot be read; or a delivery with the reason why there is nothing to run.
    """
    stored = yield Confirm(outcome_key(service, asked.identity))
    if stored is None:
        return nothing_to_run(asked, f"{service} keeps no quarantine record under that name")
    if not isinstance(stored, Stored):
        return Settled(asked, again=True)
    try:
        outcome = decode_outcome(stored.value)
    except Exception as error:  # noqa: BLE001 - an unreadable record fails this request, not others
        return nothing_to_run(asked, f"its record cannot be read ({type(error).__name__}: {error})")
    return Settled(asked, outcome, repeated=True) if outcome.quarantined is None else _kept(asked, outcome)


def _kept(asked: Delivery, outcome: Outcome) -> Delivery:
    kept = outcome.quarantined
    if kept is None:
        raise TypeError("Only a quarantine record keeps an event to be replayed.")
    event = read_delivery(kept.event.encode("utf-8", "replace"), asked.traceparent)
    if event.envelope is None:
        cut = " Only its beginning was kept, as the whole was too large." if kept.event.endswith("[...]") else ""
        return nothing_to_run(asked, f"what its record holds is no event. {event.problem}{cut}")
    purpose: Literal["replay"] = "replay"
    return event._replace(
        purpose=purpose, nudge=asked.nudge, topic=kept.topic, inside=kept.inside, recorded_as=asked.identity
    )


def nothing_to_run(asked: Delivery, reason: str) -> Delivery:
    """Return the delivery to quarantine instead, once for each request: its id names the request and the event."""
    problem = (
        f"A replay asked for {asked.identity!r}, but {reason}. A replay runs what a quarantine record "
        "holds and nothing else, so nothing was run. Take the name from the dead letter, or let the owner publish "
        "the event again."
    )
    return Delivery(None, asked.raw, f"{asked.nudge}~{asked.identity}", problem, asked.traceparent)
