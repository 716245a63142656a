"""The rules about quarantine: all poison is there, with its reason, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from choreography.engine.identity import digest_of_bytes
from faults.audit.evidence import Evidence, OutcomeRecord
from faults.audit.finding import Finding

_BY_DEFAULT: Final = frozenset({"order"})
_HORIZON: Final = timedelta(days=30)


def judge(evidence: Evidence) -> Iterable[Finding]:
    """Judge every rule of this module."""
    aside = [
        (store.service.name, outcome)
        for store in evidence.stores.values()
        for outcome in store.outcomes
        if outcome.quarantined is not None
    ]
    looked_at = len(aside) if evidence.hostile else 1
    told = {(letter["service"], letter["event_id"]) for letter in evidence.dead_letters if letter["reason"]}
    mute = [one.event_id for service, one in aside if (service, one.event_id) not in told or not _reason(one)]
    yield Finding("Every quarantined event says why", "wrong", looked_at, mute)
    names = {raw: names_of(raw) for raw in evidence.hostile}
    poison = frozenset[str]().union(*names.values())
    innocent = [
        f"{service}: {one.event_id}: {_reason(one)}" for service, one in aside if poison.isdisjoint(_kept_as(one))
    ]
    yield Finding("Only poison is quarantined", "wrong", looked_at, innocent)
    kept = {(service, name) for service, one in aside for name in _kept_as(one)}
    missing = _missing(evidence, names, kept)
    yield Finding("All poison is quarantined", "lost", looked_at, missing)


def _missing(evidence: Evidence, names: dict[bytes, frozenset[str]], kept: set[tuple[str, str]]) -> list[str]:
    """Return the events that a service should have quarantined and has not.

    In a burst of events of one type that are too old, a service keeps the first and counts the others.
    """
    missing: list[str] = []
    bursts: dict[tuple[str, str], bool] = {}
    for raw in evidence.hostile:
        old = _type_if_too_old(raw, evidence.now)
        for service in evidence.aimed.get(raw, _BY_DEFAULT):
            is_kept = any((service, name) in kept for name in names[raw])
            if old is not None:
                bursts[service, old] = bursts.get((service, old), False) or is_kept
            elif not is_kept:
                missing.append(f"{service} has not kept {raw[:200]!r}")
    missing += [
        f"{service} has kept no {kind} that is too old" for (service, kind), found in bursts.items() if not found
    ]
    return missing


def names_of(raw: bytes) -> frozenset[str]:
    """Return all identities under which a record of this text may be stored.

    Of an event that is too large, only the beginning is stored, under the digest of the whole text.
    """
    return frozenset({raw.decode("utf-8", "replace"), raw.decode("utf-8", "backslashreplace"), digest_of_bytes(raw)})


def _kept_as(outcome: OutcomeRecord) -> tuple[str, ...]:
    return (outcome.event_id, outcome.quarantined[3]) if outcome.quarantined else ()


def _reason(outcome: OutcomeRecord) -> str:
    return outcome.quarantined[0] if outcome.quarantined else ""


def _type_if_too_old(raw: bytes, now: str) -> str | None:
    """Return the type of an event that is older than every outcome; None if the event is not."""
    try:
        event: Any = orjson.loads(raw)
        moment = datetime.fromisoformat(event["time"])
        return str(event["type"]) if datetime.fromisoformat(now) - moment > _HORIZON else None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
