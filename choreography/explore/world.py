"""The world as a property sees it: the entities of every service, the published events, and the outside's calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import orjson
from pydantic import ValidationError

from choreography.contracts import Entity, Event, Value
from choreography.earlier_names import EarlierName
from choreography.explore.flow_ids import ids_of

Kept = TypeVar("Kept", bound=Entity)
Said = TypeVar("Said", bound=Event)

Part = tuple[str, ...]
"""One thing that can be looked at: its kind, and what narrows it down."""


class Interruption(Exception):  # noqa: N818 - no error: the explorer takes another way
    """Raised through a property while it reads a state. It concerns the exploration, not the property."""


class WorldSource(Protocol):
    """The source of a world: a state of the explorer, or services that really ran."""

    def read(self, part: Part) -> tuple[str, ...]:
        """Return one part as JSON texts, in an order that is independent of the course of the run."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the outside executed."""

    outside: str
    path: str
    body: Mapping[str, Any]
    status: int
    reply: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class QuarantinedEvent:
    """One event that a service quarantined."""

    service: str
    event: str
    reason: str


class World:
    """One state of the whole flow.

    Attributes:
        flows: the ids of the flows, such as the orders.
    """

    def __init__(self, source: WorldSource, flows: tuple[str, ...]) -> None:
        self._source, self.flows = source, flows

    def state_of(self, entity: type[Kept], key: str) -> Kept:
        """Return an entity as a reaction would receive it: a blank one if there is none yet.

        Raises:
            LookupError: there is no such entity, and its kind cannot be blank.
        """
        found = self.find(entity, key)
        if found is None and not entity.can_be_blank():
            raise LookupError(f"There is no {entity.__name__} {key!r} yet; ask find() whether there is.")
        return found if found is not None else entity(**{entity.key_field: key})

    def find(self, entity: type[Kept], key: str) -> Kept | None:
        """Return an entity, or None."""
        texts = self._source.read(("one", entity.__module__, entity.__name__, key))
        return next(_readable(entity, texts), None)

    def every(self, entity: type[Kept]) -> tuple[Kept, ...]:
        """Return all entities of one kind."""
        texts = self._source.read(("every", entity.__module__, entity.__name__))
        return tuple(_readable(entity, texts))

    def said(self, event: type[Said], about: str = "") -> tuple[Said, ...]:
        """Return the published events of one type, ``about`` one flow or all flows."""
        texts = self._source.read(("said", event.wire_type, about))
        return tuple(_decoded(event, text) for text in texts)

    def calls(self, outside: str, about: str = "") -> tuple[Call, ...]:
        """Return the calls that the outside executed, ``about`` one flow or for all flows."""
        texts = self._source.read(("calls", outside, about))
        return tuple(_call(text) for text in texts)

    set_aside = EarlierName("quarantined")

    @property
    def quarantined(self) -> tuple[QuarantinedEvent, ...]:
        """The events that ended in quarantine."""
        return tuple(QuarantinedEvent(*orjson.loads(text)) for text in self._source.read(("quarantined",)))


Any_ = TypeVar("Any_", bound=Value)


@lru_cache(maxsize=100_000)
def _cached(model: type[Value], text: str) -> Value:
    return model.model_validate_json(text)


def _decoded(model: type[Any_], text: str) -> Any_:
    found = _cached(model, text)
    assert isinstance(found, model)  # noqa: S101 - repeats the line above for the type checker
    return found


def _readable(model: type[Kept], texts: Iterable[str]) -> Iterator[Kept]:
    """Yield entities, without those that an old release wrote and this release cannot read."""
    for text in texts:
        with suppress(ValidationError):
            yield _decoded(model, text)


@lru_cache(maxsize=100_000)
def _call(text: str) -> Call:
    return Call(*orjson.loads(text))


def read_part(
    part: Part,
    flows: tuple[str, ...],
    *,
    kept: Iterable[Entity],
    published: Iterable[str],
    calls: Iterable[str],
    quarantined: Iterable[str],
) -> tuple[str, ...]:
    """Return one part of the world as JSON texts, of services that really ran.

    Args:
        part: the part to read.
        flows: the ids of the flows.
        kept: every entity.
        published: every event, encoded.
        calls: the calls that the outside executed.
        quarantined: the events that services quarantined.
    """
    ids = ids_of(flows)
    match part:
        case ("one" | "every" as kind, module, name, *rest):
            same = [one for one in kept if (type(one).__module__, type(one).__name__) == (module, name)]
            wanted = (one for one in same if kind == "every" or one.key == rest[0])
            return tuple(sorted(_text(one.model_dump(mode="json")) for one in wanted))
        case ("said", wire_type, about):
            told = (orjson.loads(raw) for raw in published)
            texts = (_text(one["data"]) for one in told if one["type"] == wire_type)
            return tuple(sorted(text for text in texts if ids.mentions(text, about)))
        case ("calls", outside, about):
            return tuple(sorted(one for one in calls if orjson.loads(one)[0] == outside and ids.mentions(one, about)))
        case _:
            return tuple(sorted(quarantined))


def _text(data: Any) -> str:
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()
