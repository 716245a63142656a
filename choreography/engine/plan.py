"""Planning a delivery before anything is read: does this service consume it, can it be run, which keys does it name?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from choreography.contracts import Entity, Event
from choreography.declaration import ConsumedType
from choreography.engine.belonging import LIBRARY_TYPES, Belonging, family_of
from choreography.engine.decoding import Heard, heard_value, named_ids
from choreography.engine.delivery import Delivery
from choreography.engine.envelope import Envelope
from choreography.engine.identity import Key, event_key, hashed, outcome_key, valid_id
from choreography.engine.operations import Limits
from choreography.engine.other_releases import unknown_type
from choreography.engine.records import Outgoing
from choreography.errors import InvalidEventError, NotYetError
from choreography.service import Service


class Plan(NamedTuple):
    """One delivery with the keys it names.

    Attributes:
        identity: the id its outcome is recorded under.
        entity_keys: store keys of the entities that its reactions name.
        named: the same entities, each by its class and its logical id, in the same order.
        problem: why it must be quarantined instead of run.
        needs: the knowledge that a release needs to run it, if this release lacks it.
        too_old: the problem is that it is older than every outcome.
        own: the event itself, if a command of this service published it.
        commanded: whether the record of an accepted command may exist until this event has an outcome.
        folds: its outcome belongs inside the record of the one entity it names.
        attempts: how often it failed in the transaction, if it did.
        stack: the stack of that failure.
    """

    position: int
    delivery: Delivery
    identity: str
    digest: str
    outcome_key: Key
    entity_keys: tuple[Key, ...] = ()
    named: Sequence[tuple[type[Entity], str]] = ()
    subject: ConsumedType | None = None
    problem: str = ""
    too_old: bool = False
    own: Outgoing | None = None
    commanded: bool = False
    heard: Heard | None = None
    """The data, decoded for planning. Reactions get other copies, so none can have changed this one."""
    needs: str = ""
    folds: bool = False
    attempts: int = 0
    stack: str = ""

    @property
    def event_key(self) -> str:
        """The hashed id: the name of its outcome inside an entity's record."""
        return event_key(self.identity)

    @property
    def flow_id(self) -> str:
        """The flow of the event; empty if it cannot be read."""
        return self.delivery.envelope.flow_id if self.delivery.envelope else ""

    @property
    def topic(self) -> str:
        """The topic of its type. One dead letter speaks for all events of a topic that are too old."""
        return self.subject.topic if self.subject else ""

    @property
    def inside(self) -> bool:
        """Whether it never was on a broker, so that only its outcome keeps it."""
        return self.delivery.inside or (self.subject is not None and not self.subject.topic)


class Planner:
    """Plans deliveries for one service."""

    def __init__(self, service: Service, limits: Limits) -> None:
        self.service, self.limits = service, limits
        self._horizon, self._skew = timedelta(seconds=limits.horizon_seconds), timedelta(seconds=limits.skew_seconds)
        self._families = {family_of(wire_type) for wire_type in service.subjects}
        self._published = {event.wire_type for event in service.publishes}
        self._commanded = {command.event.wire_type for command in service.commands}
        self._belonging = Belonging(service)

    def concerns(self, wire_type: object) -> bool:
        """Tell whether this service may have to handle an event of this type, or an event that claims this type."""
        if not isinstance(wire_type, str) or wire_type in self.service.subjects:
            return True
        return wire_type in LIBRARY_TYPES or family_of(wire_type) in self._families

    def plan(self, delivery: Delivery, now: datetime, position: int, said: Event | None = None) -> Plan | None:
        """Return the plan for a delivery, or None if this service does not consume its type.

        Args:
            delivery: the delivery to plan.
            now: the time that decides whether an event is too old or too far ahead.
            position: its place in the batch.
            said: the event as a command made it, if known; then it is not decoded.
        """
        envelope = delivery.envelope
        wire_type = delivery.type
        subject = self.service.subjects.get(wire_type)
        if problem := self._belonging.problem(delivery, wire_type, subject):
            return self._unbelieved(delivery, position, problem)
        if envelope is None or delivery.problem:
            foreign = envelope is None and wire_type and not self.concerns(wire_type)
            if foreign and not delivery.inside:
                return None
            return self._bare(delivery, position, _digest(delivery), delivery.problem, delivery.needs)
        if subject is not None:
            return self._planned(delivery, envelope, subject, now, position, said=said)
        if delivery.inside or (self.concerns(delivery.type) and delivery.type not in LIBRARY_TYPES):
            unknown = unknown_type(self.service, envelope.type, inside=delivery.inside)
            return self._bare(delivery, position, envelope.digest, str(unknown), unknown.needs)
        return None

    def _planned(
        self,
        delivery: Delivery,
        envelope: Envelope,
        subject: ConsumedType,
        now: datetime,
        position: int,
        *,
        said: Event | None,
    ) -> Plan:
        try:
            heard = said if said is not None and type(said) is subject.model else heard_value(subject, envelope)
            named = named_ids(subject, heard)
            if not envelope.subject and isinstance(heard, Event):
                envelope = envelope.about(valid_id(heard.subject, "subject"))
                delivery = delivery._replace(envelope=envelope)
        except NotYetError as error:
            return self._bare(delivery, position, envelope.digest, str(error), error.needs)
        except InvalidEventError as error:
            return self._bare(delivery, position, envelope.digest, str(error))
        except Exception as error:  # noqa: BLE001 - a contract's validator may raise anything; it fails only this event
            problem = f"The contract {subject.model.__name__} failed over it: {type(error).__name__}: {error}"
            return self._bare(delivery, position, envelope.digest, problem)
        identity = delivery.identity
        too_old = self._too_old(delivery, envelope, now)
        return Plan(
            position,
            delivery,
            identity,
            envelope.digest,
            outcome_key(self.service.name, identity),
            entity_keys=tuple(Key(self.service.name, entity.kind, one) for entity, one in named),
            named=named,
            subject=subject,
            problem=self._old(envelope) if too_old else self._ahead(delivery, envelope, now),
            too_old=too_old,
            own=self._own(delivery, envelope, subject),
            commanded=self._is_commanded(envelope),
            heard=heard,
            folds=len(named) == 1 and not self.limits.snapshot_reads,
        )

    def _too_old(self, delivery: Delivery, envelope: Envelope, now: datetime) -> bool:
        """Tell whether the event is older than outcomes are kept. A recorded replay never is."""
        proven = delivery.purpose == "replay" and delivery.recorded_as == delivery.identity
        return envelope.time < now - self._horizon and not delivery.inside and not proven

    def _old(self, envelope: Envelope) -> str:
        return (
            f"Too old: it is from {envelope.time:%Y-%m-%d %H:%M:%S} and outcomes are kept for {self._horizon.days} "
            "days, so nobody can tell any more whether it was run. If more of its kind follow within the hour, they "
            "get no letters: the metric choreography_too_old_total counts them, and the log says how many there were."
        )

    def _ahead(self, delivery: Delivery, envelope: Envelope, now: datetime) -> str:
        """Return the problem of an event too far ahead: its outcome would be dropped before the event is too old."""
        if envelope.time <= now + self._skew or delivery.inside:
            return ""
        return (
            f"The clock of {envelope.source!r} is wrong, or that of {self.service.name}: the event is from "
            f"{envelope.time:%Y-%m-%d %H:%M:%S}, which is {envelope.time - now} ahead of now, and {self._skew} is "
            "allowed. Correct the clock. Then publish the event again with the right time, or replay it when "
            "its time has come."
        )

    def _unbelieved(self, delivery: Delivery, position: int, problem: str) -> Plan:
        """Quarantine an unbelieved event under an id of its own: a true event of the same id must still be run."""
        digest = _digest(delivery)
        named = delivery.identity if delivery.envelope is None else f"{delivery.identity}~{digest}"
        # It may have the id of the event that a command led to, but is not that event.
        return self._bare(delivery._replace(identity=named), position, digest, problem)._replace(commanded=False)

    def _bare(self, delivery: Delivery, position: int, digest: str, problem: str, needs: str = "") -> Plan:
        identity = delivery.identity
        key = outcome_key(self.service.name, identity)
        return Plan(
            position,
            delivery,
            identity,
            digest,
            key,
            problem=problem,
            commanded=self._is_commanded(delivery.envelope),
            needs=needs,
        )

    def _is_commanded(self, envelope: Envelope | None) -> bool:
        """Tell whether a command of this service may have led to an event. An event of a reaction names its cause."""
        return (
            envelope is not None
            and envelope.type in self._commanded
            and envelope.source == self.service.name
            and not envelope.causation_id
        )

    def _own(self, delivery: Delivery, envelope: Envelope, subject: ConsumedType) -> Outgoing | None:
        if envelope.source != self.service.name or envelope.causation_id or envelope.type not in self._published:
            return None
        return Outgoing(subject.topic, envelope.subject, delivery.raw)


def _digest(delivery: Delivery) -> str:
    return delivery.envelope.digest if delivery.envelope else hashed(delivery.raw)[:32]
