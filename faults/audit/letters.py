"""The rules about events, intents and deadlines: every record was published, and every published event is recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import orjson

from faults.audit.evidence import Evidence, Message
from faults.audit.finding import Finding


def judge(evidence: Evidence) -> Iterable[Finding]:
    """Judge every rule of this module."""
    yield from _published(evidence)
    yield _settled(evidence)
    yield from _effects(evidence)
    yield _deadlines(evidence)
    behind = [
        f"{one.topic} for {one.group}: {one.pending} pending, {one.behind} unread"
        for one in evidence.groups
        if one.pending or one.behind
    ]
    yield Finding("Nothing waits on the broker", "pending", len(evidence.groups), behind)


def _ours(evidence: Evidence) -> list[Message]:
    return [
        message
        for message in evidence.messages
        if message.event is not None
        and message.raw not in evidence.hostile
        and not str(message.event.get("type", "")).startswith("choreography.")
    ]


def _published(evidence: Evidence) -> Iterable[Finding]:
    recorded: dict[str, str] = {}
    unpublished: list[str] = []
    for store in evidence.stores.values():
        for outcome in store.outcomes:
            for topic, _, text in outcome.events:
                if outcome.quarantined is not None:
                    continue
                identity = str(orjson.loads(text)["id"])
                recorded[identity] = text
                if identity not in evidence.by_identity:
                    unpublished.append(f"{topic}: {identity} of {outcome.event_id} in {store.service.name}")
    yield Finding("What is recorded was published", "lost", len(recorded), unpublished)
    made_up: list[str] = []
    said: dict[str, set[str]] = defaultdict(set)
    ours = _ours(evidence)
    for message in ours:
        event = message.event or {}
        said[message.identity].add(orjson.dumps([event[one] for one in ("type", "source", "subject", "data")]).decode())
        # An event of a command has no cause; its consumers record what follows from it.
        if event.get("causationid") and recorded.get(message.identity) != message.raw.decode():
            made_up.append(f"{message.topic}: {event['type']} {message.identity}")
    yield Finding("What was published is recorded, to the byte", "doubled", len(ours), made_up)
    ambiguous = [identity for identity, contents in said.items() if len(contents) > 1]
    yield Finding("One id says one thing", "wrong", len(said), ambiguous)


def _settled(evidence: Evidence) -> Finding:
    """Every consumer of a type has an outcome for every event of this type."""
    lost: list[str] = []
    looked_at = 0
    ours = {message.identity: message for message in _ours(evidence)}
    for store in evidence.stores.values():
        known = {outcome.event_id for outcome in store.outcomes}
        heard = {wire_type for wire_type, subject in store.service.subjects.items() if subject.topic}
        for identity, message in ours.items():
            event = message.event or {}
            if event.get("type") in heard:
                looked_at += 1
                if identity not in known:
                    lost.append(f"{store.service.name} has no outcome for {event['type']} {identity}")
    return Finding("Everybody settled all they hear", "lost", looked_at, lost)


def _effects(evidence: Evidence) -> Iterable[Finding]:
    billing = evidence.stores["billing"]
    intents = {str(wish[1]): wish for outcome in billing.outcomes for wish in outcome.wishes}
    answers: dict[str, set[str]] = defaultdict(set)
    for outcome in billing.outcomes:
        if outcome.heard:
            answers[str(orjson.loads(outcome.heard)["causationid"])].add(outcome.event_id)
    open_ones = [key for key in intents if not answers[key]]
    yield Finding("Every intent is answered", "unfinished", len(intents), open_ones)
    twice = [key for key in intents if len(answers[key]) > 1]
    yield Finding("No intent is answered twice", "doubled", len(intents), twice)
    rash = [f"{entry['kind']} for {entry['order_id']}" for entry in evidence.entries if entry["key"] not in intents]
    yield Finding("The provider is asked only what is committed", "wrong", len(evidence.entries), rash)


def _deadlines(evidence: Evidence) -> Finding:
    missed: list[str] = []
    looked_at = 0
    for store in evidence.stores.values():
        known = {outcome.event_id for outcome in store.outcomes}
        for outcome in store.outcomes:
            for at, text in outcome.dues:
                if at < evidence.now:
                    looked_at += 1
                    if str(orjson.loads(text)["id"]) not in known:
                        missed.append(f"{store.service.name}: the deadline of {outcome.event_id}, due {at}")
    return Finding("Every deadline fired", "lost", looked_at, missed)
