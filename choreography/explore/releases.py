"""Two releases of a flow side by side: one or the other handles each delivery, on the same state.

The old release quarantines an event that it does not know as *not yet*, and the new one runs it later by itself. So
this is no step: the delivery is still under way. No release runs an event that the new one cannot run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from choreography.declaration import Effect
from choreography.engine.belonging import family_of
from choreography.engine.delivery import Delivery
from choreography.engine.fate import Fate
from choreography.engine.kept_entities import shown
from choreography.engine.other_releases import unknown_effect, unknown_type
from choreography.engine.records import EntityRecord
from choreography.errors import NotYetError
from choreography.explore.carrying_out import CarriedOut
from choreography.explore.model import Model
from choreography.explore.production_step import Arrival, Consequences, Deciding, Place
from choreography.explore.steps import Item
from choreography.in_memory import InMemory
from choreography.service import Service

OLD: Final = "old"
"""What becomes of a delivery instead of a reply: the old release handled it. Replies that it got begin with it."""


class Releases:
    """The decisions of the new release, and those of the old release beside it, if there is one."""

    def __init__(self, model: Model, new: Deciding) -> None:
        self._model, self._new = model, new
        self._old = Deciding(model.old) if model.old else None

    def named(self, heard: Arrival) -> tuple[Place, ...]:
        """Return the places of the entities that the reactions of both releases name."""
        new = self._new.named(heard) if hears(self._model, heard.service, heard.type) else ()
        old = self._old.named(heard) if self._old and hears(self._model.old, heard.service, heard.type) else ()
        return tuple(dict.fromkeys((*new, *old)))

    def identity(self, heard: Arrival) -> str:
        """Return the id of the event under which it would be delivered."""
        deciding = self._new if hears(self._model, heard.service, heard.type) or self._old is None else self._old
        return deciding.envelope(heard).id

    def decide(self, heard: Arrival, kept: Mapping[Place, EntityRecord]) -> Iterator[tuple[str, Consequences]]:
        """Yield the decision of each release on a delivery, with the label of the step."""
        if hears(self._model, heard.service, heard.type):
            decided = self._new.decide(heard, kept)
            yield "", self._once(decided, heard, self._new, self._model.old)
        elif strange := unknown(self._model.service(heard.service), heard.type, inside=heard.style != "event"):
            yield "", Consequences(problem=strange)
        if self._old and hears(self._model.old, heard.service, heard.type):
            decided = self._old.decide(heard, kept)
            if not decided.not_yet:
                left = ((kind, record.state) for (_, kind, _), record in decided.kept)
                strange = unreadable(self._model.service(heard.service), left)
                decided = replace(decided, problem=decided.problem or strange)
                yield OLD, self._once(decided, heard, self._old, self._model)

    def _once(self, decided: Consequences, heard: Arrival, by: Deciding, other: Model | None) -> Consequences:
        """Return a decision; or a problem instead, if the other release would decide the same event again."""
        if decided.problem or other is None or not hears(other, heard.service, heard.type):
            return decided
        memory, delivery = by.settled(heard)
        return replace(decided, problem=again(memory, other.service(heard.service), delivery))

    def carry_out(self, service: str, name: str, body: str) -> Iterator[tuple[CarriedOut, bool]]:
        """Yield every way in which either release can carry out an intent, and whether the outside forgets keys."""

        def ways_of(release: Model) -> Sequence[CarriedOut]:
            deciding = self._old if self._old and release is self._model.old else self._new
            return deciding.carry_out(service, name, body)

        return carried_out(self._model, service, name, body, ways_of)


def carried_out(
    model: Model, service: str, name: str, body: str, ways_of: Callable[[Model], Sequence[CarriedOut]]
) -> Iterator[tuple[CarriedOut, bool]]:
    """Yield every way to carry out an intent by a release that has its effect."""
    if effect := model.find_effect(service, name):
        yield from ((way, model.outsides[effect.outside].forgets_keys) for way in ways_of(model))
    else:
        yield CarriedOut((), (), None, str(unknown_effect(model.service(service), name))), False
    if model.old and (effect := model.old.find_effect(service, name)) and _can_read(effect, body):
        forgets = model.outsides[effect.outside].forgets_keys
        yield from ((replace(way, label=f"{OLD} {way.label}".strip()), forgets) for way in ways_of(model.old))


def new_takes(model: Model, item: Item) -> bool:
    """Tell whether this release consumes an item, or at least quarantines it."""
    inside = item.style != "event"
    return hears(model, item.service, item.type) or bool(unknown(model.service(item.service), item.type, inside=inside))


def old_takes(model: Model, memory: InMemory, item: Item) -> bool:
    """Tell whether the old release runs an item; an item that it does not run stays for this release."""
    if not (hears(model.old, item.service, item.type) and isinstance(item.thing, Delivery)):
        return False
    return not old_of(model, memory.copied()).hear(item.thing).waits


def old_of(model: Model, memory: InMemory) -> InMemory:
    """Return the old release of a service, on the store of this one."""
    return memory.beside((model.old or model).service(memory.service.name))


def again(memory: InMemory, other: Service, delivery: Delivery) -> str:
    """Return the problem if another release runs an event again that this one has settled; else an empty text."""
    settled = memory.copied().beside(other).hear(delivery).settled[0]
    if settled.fate is not Fate.SETTLED:
        return ""
    return (
        "Delivered again to the other release, as when a replica dies before it answers, it runs once more: the two "
        "releases name other entities for it, so neither finds what the other did. Let both name the same entities."
    )


def at_odds(
    model: Model, memory: InMemory, delivery: Delivery, replies: str, left: Iterable[tuple[str, Any, Any]]
) -> str:
    """Return the problem between two releases after one of them settled a delivery; an empty text if there is none."""
    other = model if replies == OLD else model.old
    found = unreadable(memory.service, ((kind, state) for kind, state, _ in left)) if replies == OLD else ""
    if found or other is None or not hears(other, memory.service.name, delivery.type):
        return found
    return again(memory, other.service(memory.service.name), delivery)


def by_old(replies: str) -> bool:
    """Tell by the result whether the old release took a step."""
    return replies == OLD or replies.startswith(f"{OLD} ")


def answered(replies: str) -> str:
    """Return the replies of an outside, without the release that called and without ``lost``."""
    return replies.removeprefix(f"{OLD} ").removesuffix(", lost")


def hears(model: Model | None, service: str, wire_type: str) -> bool:
    """Tell whether a service of a release reacts to something, or to the answer or deadline of this type."""
    return model is not None and any(one.name == service and wire_type in one.subjects for one in model.services)


def unknown(service: Service, wire_type: str, *, inside: bool) -> str:
    """Return the reason why a release quarantines an unknown event; an empty text if it is not subscribed to it."""
    families = {family_of(one) for one in service.subjects}
    if not inside and family_of(wire_type) not in families:
        return ""
    return str(unknown_type(service, wire_type, inside=inside))


def _can_read(effect: Effect, body: str) -> bool:
    """Tell whether a release can read an intent that the other release wrote."""
    try:
        effect.intent.model_validate_json(body)
    except ValidationError:
        return False
    return True


def unreadable(service: Service, states: Iterable[tuple[str, Mapping[str, Any] | None]]) -> str:
    """Return the reason why a release cannot read an entity's state from the other; an empty text if it can."""
    kinds = {entity.kind: entity for entity in service.entities}
    for kind, state in states:
        if kind in kinds and state is not None:
            try:
                shown(kinds[kind], str(state.get(kinds[kind].key_field)), state)
            except NotYetError as error:
                return f"The old release left what this one cannot read. {error}"
    return ""
