"""Planning a delivery before anything is read: is it ours, can it be run, and which keys does it name?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from choreography.contracts import Entity, Event, Value
from choreography.declaration import Subject
from choreography.engine.delivery import CANARY_TYPE, NUDGE_TYPE, QUARANTINED_TYPE, REPLAY_TYPE, Delivery
from choreography.engine.envelope import Envelope
from choreography.engine.identity import event_key, hashed, outcome_key, store_key, valid_id
from choreography.engine.operations import Limits
from choreography.engine.other_releases import unknown_type
from choreography.engine.reacting import heard_value, named_ids
from choreography.engine.records import Outgoing
from choreography.errors import InvalidEventError, NotYetError
from choreography.service import Service

_OURS = frozenset({CANARY_TYPE, NUDGE_TYPE, QUARANTINED_TYPE, REPLAY_TYPE})


class Plan(NamedTuple):
    """One delivery with the keys it names.

    Attributes:
        identity: the id its outcome is recorded under.
        event_key: the id, hashed: the name of its outcome inside an entity's record.
        entity_keys: store keys of the entities its reactions name.
        named: those entities, each by its class and its logical id, in the same order.
        problem: why it must be quarantined instead of run.
        needs: what a release must know to run it, if that is the problem.
        own: the event itself, if a command of this service said it.
        commanded: whether an accepted command may be kept until this event has an outcome.
    """

    position: int
    delivery: Delivery
    identity: str
    digest: str
    event_key: str
    outcome_key: str
    entity_keys: tuple[str, ...] = ()
    named: Sequence[tuple[type[Entity], str]] = ()
    subject: Subject | None = None
    problem: str = ""
    own: Outgoing | None = None
    commanded: bool = False
    heard: Value | Mapping[str, Any] | None = None
    """What it says, decoded for planning. No reaction ever gets this copy, so none can have changed it."""
    needs: str = ""

    @property
    def folds(self) -> bool:
        """Its outcome belongs inside the record of the one entity it names."""
        return len(self.entity_keys) == 1

    @property
    def inside(self) -> bool:
        """It never was on a broker, so nobody but its outcome keeps it."""
        return self.delivery.inside or (self.subject is not None and not self.subject.topic)


class Planner:
    """Plans deliveries for one service."""

    def __init__(self, service: Service, limits: Limits) -> None:
        self.service, self.limits = service, limits
        self._horizon, self._skew = timedelta(seconds=limits.horizon_seconds), timedelta(seconds=limits.skew_seconds)
        self._families = {wire_type.rpartition(".v")[0] for wire_type in service.subjects}
        self._published = {event.wire_type for event in service.publishes}
        self._commanded = {command.event.wire_type for command in service.commands}

    def concerns(self, wire_type: object) -> bool:
        """Tell whether an event of this type may be this service's business. Most of what a topic carries is not."""
        if not isinstance(wire_type, str) or wire_type in self.service.subjects:
            return True
        return wire_type not in _OURS and wire_type.rpartition(".v")[0] in self._families

    def plan(self, delivery: Delivery, now: datetime, position: int) -> Plan | None:
        """Return the plan for a delivery, or None if it is none of this service's business."""
        envelope = delivery.envelope
        if envelope is None or delivery.problem:
            digest = envelope.digest if envelope else hashed(delivery.raw)[:32]
            return self._bare(delivery, position, digest, delivery.problem, delivery.needs)
        subject = self.service.subjects.get(envelope.type)
        if subject and not subject.topic and delivery.purpose == "run" and not delivery.inside:
            # An answer or a deadline that comes from a broker was made up by somebody.
            return None
        if subject is None:
            if not (self.concerns(envelope.type) or delivery.inside):
                return None
            problem = unknown_type(self.service, envelope.type, inside=delivery.inside)
            return self._bare(delivery, position, envelope.digest, str(problem), problem.needs)
        return self._planned(delivery, envelope, subject, now, position)

    def _planned(self, delivery: Delivery, envelope: Envelope, subject: Subject, now: datetime, position: int) -> Plan:
        try:
            heard = heard_value(subject, envelope)
            named = named_ids(subject, heard)
            if isinstance(heard, Event) and not envelope.subject:
                envelope = envelope.about(valid_id(heard.subject, "subject"))
                delivery = delivery._replace(envelope=envelope)
        except NotYetError as error:
            return self._bare(delivery, position, envelope.digest, str(error), error.needs)
        except InvalidEventError as error:
            return self._bare(delivery, position, envelope.digest, str(error))
        except Exception as error:  # noqa: BLE001 - a contract's own validator may raise anything; it is the event's fate
            problem = f"The contract {subject.model.__name__} failed over it: {type(error).__name__}: {error}"
            return self._bare(delivery, position, envelope.digest, problem)
        identity = delivery.identity
        return Plan(
            position,
            delivery,
            identity,
            envelope.digest,
            event_key(identity),
            outcome_key(self.service.name, identity),
            entity_keys=tuple(store_key(self.service.name, entity.kind, one) for entity, one in named),
            named=named,
            subject=subject,
            problem=self._age_problem(delivery, envelope, now, replayed=delivery.purpose == "replay"),
            own=self._own(delivery, envelope, subject),
            commanded=self._is_commanded(envelope),
            heard=heard,
        )

    def as_if_new(self, plan: Plan, now: datetime) -> Plan:
        """Return the plan of a replay for which nothing was quarantined: it may run only as any other event may."""
        envelope = plan.delivery.envelope
        if envelope is None or plan.problem:
            return plan
        return plan._replace(problem=self._age_problem(plan.delivery, envelope, now, replayed=False))

    def _age_problem(self, delivery: Delivery, envelope: Envelope, now: datetime, *, replayed: bool) -> str:
        horizon, skew = self._horizon, self._skew
        if envelope.time < now - horizon and not delivery.inside and not replayed:
            return (
                f"Too old: it is from {envelope.time:%Y-%m-%d %H:%M:%S} and outcomes are kept for {horizon.days} days, "
                "so nobody can tell any more whether it was run."
            )
        if envelope.time > now + skew and not delivery.inside:
            return f"It claims to be from {envelope.time:%Y-%m-%d %H:%M:%S}, which has not come yet."
        return ""

    def _bare(self, delivery: Delivery, position: int, digest: str, problem: str, needs: str = "") -> Plan:
        identity = delivery.identity
        key = outcome_key(self.service.name, identity)
        return Plan(
            position,
            delivery,
            identity,
            digest,
            event_key(identity),
            key,
            problem=problem,
            commanded=self._is_commanded(delivery.envelope),
            needs=needs,
        )

    def _is_commanded(self, envelope: Envelope | None) -> bool:
        """Tell whether a command of this service may have led to an event. What a reaction says names its cause."""
        return (
            envelope is not None
            and envelope.type in self._commanded
            and envelope.source == self.service.name
            and not envelope.causation_id
        )

    def _own(self, delivery: Delivery, envelope: Envelope, subject: Subject) -> Outgoing | None:
        if envelope.source != self.service.name or envelope.causation_id or envelope.type not in self._published:
            return None
        return Outgoing(subject.topic, envelope.subject, delivery.raw)
