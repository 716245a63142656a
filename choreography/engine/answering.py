"""The way back from the outside: an effect's answer becomes an event for the service's own reactions."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError

from choreography.contracts import Answer as OutsideAnswer
from choreography.contracts import Intent
from choreography.declaration import Effect
from choreography.engine.delivery import INTENT_TYPE, Delivery, read_delivery
from choreography.engine.envelope import LARGEST_EVENT, Envelope, as_moment, as_text, is_traceparent
from choreography.engine.identity import Key, derived_id, event_key, outcome_key, valid_id
from choreography.engine.kept_entities import first_problem
from choreography.engine.operations import Confirm, Operation, OperationResult, Stored
from choreography.engine.other_releases import unknown_effect, unreadable_intent
from choreography.engine.quarantine import beginning
from choreography.engine.records import CommittedIntent, EntityRecord, Outcome, Outgoing, decode_outcome
from choreography.errors import InvalidEventError, NotYetError
from choreography.service import Service
from choreography.topics import intents

_FIELDS: Final = ("effect", "key", "body", "flow_id")


class UnreadableError(Exception):
    """The store could not say whether an intent has been answered."""


class OutsideRequest(NamedTuple):
    """A committed intent as this release reads it, and the effect that carries it out."""

    effect: Effect
    intent: Intent


class Answering:
    """Answers of one service's effects."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._effects = {effect.name: effect for effect in service.effects.values()}

    def effect(self, committed: CommittedIntent) -> Effect | None:
        """Return the effect that carries out an intent; None if a release dropped or renamed it."""
        return self._effects.get(committed.effect)

    def request(self, committed: CommittedIntent) -> OutsideRequest | NotYetError:
        """Read an intent for the effect that carries it out; return the reason if this release cannot."""
        effect = self.effect(committed)
        if effect is None:
            return unknown_effect(self._service, committed.effect)
        try:
            return OutsideRequest(effect, effect.intent.model_validate_json(committed.body))
        except ValidationError as error:
            return unreadable_intent(committed.effect, first_problem(error))

    def delivery(self, committed: CommittedIntent, answer: OutsideAnswer, now: datetime) -> Delivery:
        """Return the answer as a delivery."""
        envelope = self._envelope(committed, answer.wire_type, answer.model_dump(mode="json"), now)
        return Delivery(envelope, envelope.encode(), envelope.id, traceparent=committed.traceparent, inside=True)

    def for_a_person(self, committed: CommittedIntent, problem: str, now: datetime) -> Delivery:
        """Return a delivery that quarantines, for a person, an intent which must not or cannot be carried out."""
        envelope = self._envelope(committed, f"{self._service.name}.intent.v1", _shown(committed.body), now)
        return Delivery(envelope, envelope.encode(), envelope.id, problem, committed.traceparent, inside=True)

    def not_yet(self, committed: CommittedIntent, now: datetime) -> Delivery | None:
        """Return a delivery that quarantines an intent as not yet, or None if this release can carry it out."""
        request = self.request(committed)
        return self.for_another_release(committed, request, now) if isinstance(request, NotYetError) else None

    def for_another_release(self, committed: CommittedIntent, problem: NotYetError, now: datetime) -> Delivery:
        """Return a delivery that quarantines an intent for a release that can carry it out."""
        kept = read_delivery(self.for_later(committed, now).encoded.encode(), committed.traceparent)
        return kept._replace(problem=str(problem), needs=problem.needs, inside=True)

    def for_later(self, committed: CommittedIntent, now: datetime) -> Outgoing:
        """Return the event that hands an intent over to the lane for long-running effects."""
        data = dict(zip(_FIELDS, (committed.effect, committed.key, committed.body, committed.flow_id), strict=True))
        data |= {"at": as_text(committed.at), "traceparent": committed.traceparent}
        envelope = self._envelope(committed, INTENT_TYPE, data, now)._replace(id=derived_id(committed.key, "later"))
        return Outgoing(intents(self._service.name), committed.flow_id, envelope.encode())

    def read_later(self, delivery: Delivery) -> CommittedIntent | None:
        """Read an intent that came back from its lane; None if this service cannot have handed it over."""
        envelope = delivery.envelope
        if envelope is None or envelope.type != INTENT_TYPE or envelope.source != self._service.name:
            return None
        data = envelope.data
        effect, key, body, flow_id = (data.get(name) for name in _FIELDS)
        traceparent = data.get("traceparent")
        if not (isinstance(body, str) and isinstance(traceparent, str)):
            return None
        try:
            return CommittedIntent(
                valid_id(effect, "effect"),
                valid_id(key, "key"),
                body,
                valid_id(flow_id, "flow_id"),
                as_moment(data.get("at")),
                traceparent if is_traceparent(traceparent) else "",
            )
        except InvalidEventError:
            return None

    def _envelope(self, committed: CommittedIntent, wire_type: str, data: Mapping[str, Any], now: datetime) -> Envelope:
        return Envelope(
            id=committed.answer_id,
            type=wire_type,
            source=self._service.name,
            subject=committed.flow_id,
            time=now,
            flow_id=committed.flow_id,
            causation_id=committed.key,
            traceparent=committed.traceparent,
            data=dict(data),
        )

    def recall(
        self, committed: CommittedIntent, request: OutsideRequest | NotYetError | None = None
    ) -> Generator[Operation, OperationResult, Outcome | None]:
        """Find out whether an intent has been answered, in the two places where that is recorded.

        Args:
            committed: the intent as it is recorded.
            request: the same intent, if it was read already.

        Raises:
            UnreadableError: the store could not be read.
        """
        identity = committed.answer_id
        for key in self._entity_keys(request or self.request(committed)):
            stored = yield from self._confirm(key)
            folded = EntityRecord.decode(stored.value).outcome_of(event_key(identity)) if stored else None
            if folded is not None:
                return folded
        stored = yield from self._confirm(outcome_key(self._service.name, identity))
        return decode_outcome(stored.value) if stored else None

    def _confirm(self, key: Key) -> Generator[Operation, OperationResult, Stored | None]:
        answer = yield Confirm(key)
        if answer is not None and not isinstance(answer, Stored):
            raise UnreadableError(key)
        return answer

    def _entity_keys(self, request: OutsideRequest | NotYetError) -> list[Key]:
        if isinstance(request, NotYetError):
            # An intent of another release can only be quarantined for a person, and that outcome is recorded apart.
            return []
        keys: dict[Key, None] = {}
        for answer in request.effect.answers:
            for reaction in self._service.subjects[answer.wire_type].reactions:
                for named in reaction.named:
                    for logical_id in named.ids(request.intent):
                        keys[Key(self._service.name, named.entity.kind, logical_id)] = None
        return list(keys)


def _shown(body: str) -> Mapping[str, Any]:
    """Return a recorded request for people to read: as text, perhaps shortened, if no effect could read it."""
    try:
        request = orjson.loads(body) if len(body) <= LARGEST_EVENT // 4 else None
    except orjson.JSONDecodeError:
        request = None
    return request if isinstance(request, dict) else {"body": beginning(body, LARGEST_EVENT // 4)}
