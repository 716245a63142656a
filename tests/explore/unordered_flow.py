"""A service with a command for each value that is constant in one process and differs in the next."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from choreography import Decision, Entity, Event, NewId, Request, Service
from choreography.explore import Scenario, scenario
from choreography.explore.model import Model
from choreography.explore.properties import nothing_is_quarantined


class Noted(Event, owner="notes", subject="note_id", type="note.taken.v1"):
    """Something was written down."""

    note_id: str
    text: str = ""


class Note(Entity, key="note_id"):
    """What was written down."""

    note_id: str
    text: str = ""


class NewNote(Request):
    """What is to be written down."""

    text: str = "none"


SALT, BORN, PROCESS = uuid.uuid4().hex, datetime.now(UTC).isoformat(), os.getpid()
_first: list[str] = []
_numbers: dict[str, int] = {}


def _first_that_came(text: str) -> str:
    _first[:] = _first or [text]
    return _first[0]


def _place_in_line(text: str) -> str:
    return str(_numbers.setdefault(text, len(_numbers)))


FLAWS: dict[str, Callable[[str], str]] = {
    "number drawn at import": lambda _: SALT,
    "time taken at import": lambda _: BORN,
    "process": lambda _: str(PROCESS),
    "hash": lambda text: str(hash(text)),
    "order of a set": lambda text: " ".join({"red", "green", "blue", text}),
    "order of a comprehension": lambda text: " ".join({f"{text}{one}" for one in range(5)}),
    "order of a constant": lambda text: " ".join(one for one in {"red", "green", "blue", "white"} if one != text),  # noqa: PLC0208
    "order of a frozenset": lambda text: " ".join(frozenset(("red", "green", "blue", text))),
    "order of keys": lambda text: " ".join({"red": 1, "green": 2, "blue": 3, text: 4}.keys() - {"white"}),
    "zone of time": lambda _: datetime(2026, 1, 1, tzinfo=UTC).astimezone().isoformat(),
    "address in memory": lambda _: repr(object()),
    "identity": lambda text: str(id(text) // 4096),
    "first that came": _first_that_came,
    "place in line": _place_in_line,
}


@scenario
def notes() -> Scenario:
    """One note."""
    return Scenario(("note-1",), says=(Noted(note_id="note-1"),))


def _service() -> Service:
    service = Service("notes", publishes=[Noted])
    for name, flaw in FLAWS.items():
        _add(service, name.replace(" ", "_"), flaw)

    @service.on(Noted)
    def note(kept: Note, noted: Noted) -> Decision:
        return kept.but(text=noted.text)

    return service


def _add(service: Service, name: str, flaw: Callable[[str], str]) -> None:
    def take(new: NewNote, note_id: NewId) -> Noted:
        return Noted(note_id=note_id, text=flaw(new.text))

    take.__name__ = name
    service.command(f"POST /{name}")(take)


model = Model("notes", (_service(),), (nothing_is_quarantined,), {"notes": notes}, {}).called(f"{__name__}:model")
