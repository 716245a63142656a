"""Commands: an accepted request is one event, the same event however often the request is repeated."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from choreography.contracts import Event
from choreography.declaration import Command
from choreography.engine.delivery import Delivery
from choreography.engine.envelope import Envelope
from choreography.engine.identity import derived_id
from choreography.engine.keys import require_own_key
from choreography.engine.operations import Answer, Confirm, Limits, Operation, Read, Stored, Values
from choreography.engine.plan import Plan, Planner
from choreography.engine.records import EntityRecord, Outgoing, decode_outcome
from choreography.service import Service

_REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """One accepted command: its event, and that event's text as published."""

    envelope: Envelope
    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the store knows of a command.

    Attributes:
        digest: what its event was settled with, or None.
        readable: whether the store said.
        problem: what is wrong with the record, if that is why nobody can tell.
    """

    digest: str | None
    readable: bool = True
    problem: Exception | None = None


class Commanding:
    """Turns requests into events, and remembers for a while what this replica accepted."""

    def __init__(self, service: Service, limits: Limits) -> None:
        self._service = service
        self._planner = Planner(service, limits)
        self._accepted: OrderedDict[str, Accepted] = OrderedDict()
        self._subjects: OrderedDict[str, None] = OrderedDict()

    def event_id(self, caller: str, route: str, key: str) -> str:
        """Return the id of the event that this caller's request with this Idempotency-Key becomes.

        Raises:
            WeakKeyError: the caller is anonymous, and somebody else could send the same key.
        """
        require_own_key(caller, key)
        return derived_id("command", self._service.name, caller, route, key)

    def event(self, command: Command, event_id: str, arguments: Mapping[str, Any]) -> Event:
        """Call the command's pure function; new ids derive from the event's id."""
        new = {name: derived_id(event_id, name) for name in command.new_ids}
        return command.function(**arguments, **new)

    def accept(self, event: Event, event_id: str, now: datetime, traceparent: str) -> Accepted:
        """Return the event as published. A retry that this replica remembers is the same text to the byte.

        Raises:
            UnsayableEventError: the event is too large.
        """
        envelope = Envelope(
            id=event_id,
            type=event.wire_type,
            source=self._service.name,
            subject=event.subject,
            time=now,
            flow_id=event.subject,
            causation_id="",
            traceparent=traceparent,
            data=event.model_dump(mode="json"),
        )
        known = self._accepted.get(event_id)
        if known is not None and known.envelope.digest == envelope.digest:
            return known
        return Accepted(envelope, Outgoing(event.topic, event.subject, envelope.encode()))

    def contradicts(self, accepted: Accepted) -> bool:
        """Tell whether this replica accepted another body under the same key."""
        known = self._accepted.get(accepted.envelope.id)
        return known is not None and known.envelope.digest != accepted.envelope.digest

    def remember(self, accepted: Accepted) -> None:
        """Remember an accepted command until others have long settled it."""
        self._accepted[accepted.envelope.id] = accepted
        self._subjects[accepted.envelope.subject] = None
        for memory in (self._accepted, self._subjects):
            if len(memory) > _REMEMBERED:
                memory.popitem(last=False)

    def just_accepted(self, subject: str) -> bool:
        """Tell whether this replica has accepted a command about ``subject``."""
        return subject in self._subjects

    def earlier(self, accepted: Sequence[Accepted], now: datetime) -> Generator[Operation, Answer, list[Earlier]]:
        """Look up, in one read, with which digests these commands have been settled before."""
        plans = [self._planner.plan(Delivery(one.envelope, "", one.envelope.id), now, 0) for one in accepted]
        keys = {key for plan in plans if plan for key in _places(plan)}
        answer = yield Read(tuple(sorted(keys)))
        if not isinstance(answer, Values):
            return [Earlier(None, readable=False) for _ in accepted]
        earlier: list[Earlier] = []
        for plan in plans:
            try:
                known = yield from _look_up(plan, answer)
            except Exception as error:  # noqa: BLE001 - what is wrong with one record is the business of one command
                known = Earlier(None, readable=False, problem=error)
            earlier.append(known)
        return earlier


def _places(plan: Plan) -> tuple[str, ...]:
    """Return where a command's outcome may be: apart as well, as another body may have named another entity."""
    return (plan.outcome_key, *plan.entity_keys)


def _look_up(plan: Plan | None, read: Values) -> Generator[Operation, Answer, Earlier]:
    if plan is None or not read.failed.isdisjoint(_places(plan)):
        return Earlier(None, readable=False)
    records = [EntityRecord.decode(read.found[key].value) for key in plan.entity_keys if key in read.found]
    for record in records:
        folded = record.outcome_of(plan.event_key)
        if folded is not None:
            return Earlier(folded.digest)
    apart: Answer = read.found.get(plan.outcome_key)
    if apart is None and plan.folds and any(record.apart for record in records):
        apart = yield Confirm(plan.outcome_key)
    if isinstance(apart, Stored):
        return Earlier(decode_outcome(apart.value).digest)
    return Earlier(None, readable=apart is None)
