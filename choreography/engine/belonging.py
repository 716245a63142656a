"""Whether an event counts: a type belongs to one topic and, where its contract names it, to one source.

Topic scopes say who may publish on a topic, but not which types. So a service that may write to one topic could publish
any event there, unless each consumer accepts only the types that belong on the topic.
"""

from __future__ import annotations

from typing import Final

from choreography.declaration import ConsumedType
from choreography.engine.delivery import (
    CANARY_TYPE,
    INTENT_TYPE,
    NUDGE_TYPE,
    QUARANTINED_TYPE,
    REPLAY_TYPE,
    Delivery,
)
from choreography.service import Service
from choreography.topics import CONTROL, canary, dead_letters, intents

LIBRARY_TYPES: Final = frozenset({CANARY_TYPE, INTENT_TYPE, NUDGE_TYPE, QUARANTINED_TYPE, REPLAY_TYPE})


def family_of(wire_type: str) -> str:
    """Return the type without its version."""
    return wire_type.rpartition(".v")[0]


class Belonging:
    """The topics and sources that the events of one service must come from."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._own = {
            CONTROL: "nudges and replays",
            intents(service.name): f"intents that {service.name} handed over to itself",
            canary(service.name): f"canaries of {service.name}",
        }
        self._homes = {
            CANARY_TYPE: canary(service.name),
            INTENT_TYPE: intents(service.name),
            NUDGE_TYPE: CONTROL,
            REPLAY_TYPE: CONTROL,
            QUARANTINED_TYPE: dead_letters(service.name),
        }
        self._families = {family_of(one.wire_type): one for one in service.subjects.values()}
        self._owners = {one.wire_type: _owner(one) for one in service.subjects.values()}

    def problem(self, delivery: Delivery, wire_type: str, subject: ConsumedType | None) -> str:
        """Return why this delivery must not be believed, or an empty text if it may be.

        Nudges only look outcomes up, so they are not checked. A delivery without a topic and a broker cannot be
        checked.
        """
        if delivery.inside or delivery.purpose == "nudge":
            return ""
        if delivery.topic in self._own:
            return self._stray(delivery)
        if subject is not None and not subject.topic:
            return (
                f"The type {wire_type!r} is an answer or a deadline of {self._service.name}, which never comes by "
                "a broker, so somebody made this one up. Find out who may publish on the topic that it came by."
            )
        if not delivery.topic or not wire_type:
            return ""
        if wire_type in LIBRARY_TYPES:
            home = self._homes[wire_type]
            return "" if self._is_owners_canary(delivery) else _misplaced(delivery, home)
        known = subject or self._families.get(family_of(wire_type))
        return self._contradiction(delivery, known) if known is not None and known.topic else ""

    def _stray(self, delivery: Delivery) -> str:
        shown = repr(delivery.type) if delivery.type else "something unreadable"
        carried = self._own[delivery.topic]
        return f"The topic {delivery.topic!r} carries only {carried}, and this is {shown}. Find out who sent it."

    def _is_owners_canary(self, delivery: Delivery) -> bool:
        """Tell whether the event is a canary: the owner of the topic tests whether the topic takes its events."""
        owners = {_owner(one) for one in self._families.values() if one.topic == delivery.topic}
        source = delivery.envelope.source if delivery.envelope else ""
        return delivery.type == CANARY_TYPE and (source in owners or "" in owners)

    def _contradiction(self, delivery: Delivery, known: ConsumedType) -> str:
        if delivery.topic != known.topic:
            return _misplaced(delivery, known.topic)
        owner = self._owners[known.wire_type]
        if owner and delivery.envelope and delivery.envelope.source != owner:
            return (
                f"The source of this {delivery.type} is {delivery.envelope.source!r}, but its owner is {owner!r}, and "
                "nobody else may say it. Find out who sent it; if another service owns it now, change its owner=."
            )
        return ""


def _owner(subject: ConsumedType) -> str:
    return str(getattr(subject.model, "owned_by", ""))


def _misplaced(delivery: Delivery, home: str) -> str:
    return (
        f"The type {delivery.type!r} belongs on the topic {home!r}, but this came by {delivery.topic!r}, whose "
        "publishers may not say it. Find out who sent it; if it is true, its owner publishes it on its own topic."
    )
