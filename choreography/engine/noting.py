"""The list of unanswered intents. People ask for it, and no rule of the engine depends on it."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from choreography.contracts import Answer
from choreography.engine.envelope import as_text
from choreography.engine.identity import intent_key
from choreography.engine.operations import ANY_ETAG, Write
from choreography.engine.plan import Plan
from choreography.engine.records import Outcome


def notes_of_intents(service: str, plan: Plan, outcome: Outcome, ttl_seconds: int) -> Iterator[Write]:
    """Yield the notes of intents that an outcome holds, and the deletion of the note that its event answers."""
    for committed in outcome.intents:
        note = {
            "effect": committed.effect,
            "key": committed.key,
            "flow_id": committed.flow_id,
            "at": as_text(committed.at),
        }
        yield Write(intent_key(service, committed.answer_id), orjson.dumps(note).decode(), ANY_ETAG, ttl_seconds)
    if plan.subject and issubclass(plan.subject.model, Answer):
        yield Write.deletion(intent_key(service, plan.identity))
