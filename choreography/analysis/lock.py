"""The committed promises of a flow: to consumers, to everything in flight, and to the stored state of its services."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from choreography.analysis import breaking
from choreography.analysis.promises import (
    EVENTS,
    SECTIONS,
    SERVICES,
    Lock,
    Promise,
    PromisePlace,
    promises_of,
    schema_of,
)
from choreography.contracts import Event
from choreography.errors import ChoreographyError
from choreography.service import Service

FILE: Final = "contracts.lock.json"
FORMAT: Final = 2
"""The first held events only, each under its wire type, with its topic. It is read, and written anew in this one."""

_HEAD: Final = "rendered"
_TOLD: Final = (
    "By `choreography render {}`. What is promised here stays promised: ids, store keys and kept state derive from it, "
    "and a change that breaks it is found by `choreography check`. Delete an entry only when nothing that was "
    "published, kept, scheduled or committed under it can be met again."
)
_KEYS: Final[Mapping[str, frozenset[str]]] = {
    EVENTS: frozenset({"subject", "schema"}),
    SERVICES: frozenset(),
    "entities": frozenset({"key", "drops", "schema"}),
    "reactions": frozenset({"names"}),
    "joins": frozenset({"entity", "awaits"}),
    "deadlines": frozenset({"entity", "after", "due"}),
    "effects": frozenset({"outside", "answers", "intent"}),
    "answers": frozenset({"schema"}),
    "commands": frozenset({"event", "new_ids"}),
}


class LockError(ChoreographyError):
    """The file of committed promises is invalid."""


def broken(old: Promise, new: Promise) -> list[str]:
    """Return, in words, the promises that a changed event breaks."""
    return breaking.broken(PromisePlace(EVENTS, "", ""), old, new)


def _contract(event: type[Event]) -> Promise:
    return {"owner": event.owned_by, "subject": event.subject_field, "schema": schema_of(event)}


def merged(lock: Lock | None, services: Iterable[Service]) -> dict[PromisePlace, Promise]:
    """Return the new content of the lock: a breaking change does not replace a promise, and no promise is forgotten."""
    kept: dict[PromisePlace, Promise] = dict(lock or {})
    for place, promise in promises_of(services).items():
        if place not in kept or not breaking.broken(place, kept[place], promise):
            kept[place] = promise
    return kept


def written(lock: Lock, flow: str) -> str:
    """Return the text of a lock file."""
    events = {place.name: promise for place, promise in sorted(lock.items()) if place.section == EVENTS}
    services: dict[str, dict[str, Any]] = {
        place.name: {section: {} for section in SECTIONS} for place in sorted(lock) if place.section == SERVICES
    }
    for place, promise in sorted(lock.items()):
        if place.section in SECTIONS:
            services.setdefault(place.service, {}).setdefault(place.section, {})[place.name] = promise
    told = {name: {section: held for section, held in one.items() if held} for name, one in services.items()}
    content = {_HEAD: _TOLD.format(flow), "format": FORMAT, EVENTS: events, SERVICES: told}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def read_lock(folder: Path) -> dict[PromisePlace, Promise] | None:
    """Return the committed lock of a flow's folder, or None if there is none.

    Raises:
        LockError: the file exists and is invalid.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return _read(json.loads(path.read_text()))
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise LockError(
            f"{path} cannot be understood ({type(error).__name__}: {error}), so nobody can tell whether a promise was "
            "broken. Bring it back from version control; do not render it anew, which would forget what was promised."
        ) from error


def is_outdated(lock: Lock) -> bool:
    """Tell whether a lock has the old format, which held only events."""
    return not any(place.section == SERVICES for place in lock)


def _read(content: Mapping[str, Any]) -> dict[PromisePlace, Promise]:
    found = content.get("format", 1)
    if found not in (1, FORMAT):
        raise ValueError(f"its format is {found!r}, and this release reads 1 and {FORMAT}")
    events = {name: one for name, one in content.items() if name != _HEAD} if found == 1 else content[EVENTS]
    lock = {PromisePlace(EVENTS, "", wire_type): _checked(EVENTS, entry) for wire_type, entry in events.items()}
    for service, sections in (content[SERVICES] if found == FORMAT else {}).items():
        lock[PromisePlace(SERVICES, service, service)] = {}
        for section, entries in sections.items():
            lock |= {PromisePlace(section, service, name): _checked(section, entry) for name, entry in entries.items()}
    return lock


def _checked(section: str, entry: Mapping[str, Any]) -> Promise:
    missing = _KEYS[section] - entry.keys()
    if missing:
        raise KeyError(f"an entry of {section} has no {', '.join(sorted(missing))}")
    return {key: value for key, value in entry.items() if key != "topic"}
