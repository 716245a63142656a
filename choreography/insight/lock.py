"""The committed contracts of a flow: what was promised to whoever listens, and to whatever is still in flight."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from choreography.contracts import Event
from choreography.errors import ChoreographyError
from choreography.insight.compatibility import unmet
from choreography.service import Service

FILE: Final = "contracts.lock.json"

Lock = Mapping[str, Mapping[str, Any]]

_HEAD: Final = "rendered"
_TOLD: Final = (
    "By `choreography render {}`. What is promised here stays promised: a change that breaks it needs a new version of "
    "the wire type. Delete an entry only when no event of it can be in flight or be published again."
)


class LockError(ChoreographyError):
    """The committed contracts cannot be understood."""


def contracts_of(services: Iterable[Service]) -> dict[str, dict[str, Any]]:
    """Return every contract that the services publish, by wire type."""
    events = {event.wire_type: event for service in services for event in service.publishes}
    return {wire_type: _contract(events[wire_type]) for wire_type in sorted(events)}


def merged(lock: Lock | None, services: Iterable[Service]) -> dict[str, Mapping[str, Any]]:
    """Return the lock as it should be: what breaks a promise does not replace it, and nothing is forgotten."""
    kept: dict[str, Mapping[str, Any]] = dict(lock or {})
    for wire_type, contract in contracts_of(services).items():
        if wire_type not in kept or not list(broken(kept[wire_type], contract)):
            kept[wire_type] = contract
    return {wire_type: kept[wire_type] for wire_type in sorted(kept)}


def broken(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield in words what a changed contract breaks."""
    for word in ("topic", "subject"):
        if old[word] != new[word]:
            yield f"its {word} was {old[word]!r} and is {new[word]!r}"
    for problem in unmet(new["schema"], old["schema"]):
        yield f"a consumer of before would refuse it, because {problem}"
    for problem in unmet(old["schema"], new["schema"]):
        yield f"an event of before, still in flight, would be refused, because {problem}"


def written(lock: Lock, flow: str) -> str:
    """Return the text of a lock file."""
    return json.dumps({_HEAD: _TOLD.format(flow), **lock}, indent=2, ensure_ascii=False) + "\n"


def read_lock(folder: Path) -> dict[str, Any] | None:
    """Return the committed lock of a flow's folder, or None if there is none.

    Raises:
        LockError: the file is there and cannot be understood.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
        return {
            wire_type: {word: entry[word] for word in ("topic", "subject", "schema")}
            for wire_type, entry in content.items()
            if wire_type != _HEAD
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise LockError(
            f"{path} cannot be understood ({type(error).__name__}: {error}), so nobody can tell whether a contract was "
            "broken. Bring it back from version control; do not render it anew, which would forget what was promised."
        ) from error


def _contract(event: type[Event]) -> dict[str, Any]:
    return {"topic": event.topic, "subject": event.subject_field, "schema": _bare(event.model_json_schema())}


def _bare(schema: Any, *, names: bool = False) -> Any:
    """Return a schema without its words, which promise nothing. ``names`` tells that the keys are names of fields."""
    if isinstance(schema, Mapping):
        dropped = () if names else ("title", "description", "examples", "default")
        return {
            key: _bare(part, names=not names and key in ("properties", "$defs"))
            for key, part in sorted(schema.items())
            if key not in dropped
        }
    return [_bare(part) for part in schema] if isinstance(schema, list) else schema
