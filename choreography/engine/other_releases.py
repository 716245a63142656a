"""Parts unknown to this release: types, joins and stored state of the releases before and after it.

Unknown work never counts as done. An event that needs it is quarantined as *not yet*, with a note of the knowledge that
a release needs to run the event. A release with this knowledge replays the event by itself
(``choreography.engine.not_yet``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from choreography.contracts import Entity
from choreography.engine.kept_state import Difference
from choreography.engine.records import EntityRecord
from choreography.errors import NotYetError
from choreography.service import Service

TYPE, JOIN, EFFECT, STATE = "type", "join", "effect", "state"
"""The kinds of knowledge that a release may need: the first word of each note."""


def knows(service: Service, needs: str) -> bool:
    """Tell whether this release has the missing knowledge. For a stored state only an attempt can show that."""
    kind, _, name = needs.partition(" ")
    if kind == TYPE:
        return name in service.subjects
    if kind == JOIN:
        return name in {join for _, join in joins_of(service)}
    return kind != EFFECT or name in {effect.name for effect in service.effects.values()}


def unknown_type(service: Service, wire_type: str, *, inside: bool) -> NotYetError:
    """Describe an event, a fired deadline or an answer of the outside that no reaction of this release consumes."""
    needs = f"{TYPE} {wire_type}"
    if not inside:
        return NotYetError(
            f"{service.name} knows {_family(service, wire_type)} but not {wire_type}. "
            "It is run by itself when a release that does is started.",
            needs,
        )
    name = _deadline_name(service, wire_type)
    if name:
        known = sorted({reaction.name for reactions in service.deadlines.values() for reaction in reactions})
        return NotYetError(
            f"the deadline {name!r} ({wire_type}) has fired, and this release of {service.name} has no deadline of "
            f"that name; it has {_listed(known)}. If it was renamed, keep its name: "
            f'@{service.name}.deadline(..., name="{name}"). If it was dropped, keep it, answering `nothing`, until '
            "none is pending.",
            needs,
        )
    known = sorted({answer.wire_type for effect in service.effects.values() for answer in effect.answers})
    return NotYetError(
        f"the outside has answered {wire_type}, and no effect of this release of {service.name} may; "
        f"its answers are {_listed(known)}. Keep the wire type of the answer.",
        needs,
    )


def unknown_key(reaction: str, entity: type[Entity], wire_type: str, data: Mapping[str, Any]) -> NotYetError:
    """Describe a fired deadline that names its entity by another field than this release."""
    return NotYetError(
        f"the deadline {reaction!r} names its {entity.kind} by {_listed(sorted(data))}, and this release by "
        f"{entity.key_field!r}. Keep the key of {entity.__name__} as it was.",
        f"{STATE} {entity.kind} of {wire_type}",
    )


def unreadable_state(entity: type[Entity], logical_id: str, problem: str) -> NotYetError:
    """Describe a stored state that this release cannot read."""
    return NotYetError(
        f"the {entity.kind} {logical_id!r} is kept in a form that {entity.__name__} of this release cannot read: "
        f"{problem} Run the release that wrote it, or one that reads both forms.",
        f"{STATE} {entity.kind}",
    )


def unknown_effect(service: Service, name: str) -> NotYetError:
    """Describe a committed intent that no effect of this release carries out."""
    known = sorted(effect.name for effect in service.effects.values())
    return NotYetError(
        f"no effect of this release of {service.name} is named {name!r}, and an intent for it is committed; its "
        f"effects are {_listed(known)}. If it was renamed, keep its name. If it was dropped, keep it until no intent "
        "for it is left, or carry this one out by hand under the key it has.",
        f"{EFFECT} {name}",
    )


def unreadable_intent(effect: str, problem: str) -> NotYetError:
    """Describe a committed intent that this release cannot read, because another release decided it."""
    return NotYetError(
        f"an intent for the effect {effect!r} is committed that this release cannot read: {problem} "
        "Run the release that decided it, or one that reads both forms.",
        f"{EFFECT} {effect}",
    )


def unreadable_slot(join: str, entity: type[Entity], model: str, problem: str) -> NotYetError:
    """Describe an event in a join's slot that this release cannot read, because another release put it there."""
    return NotYetError(
        f"the join {join!r} holds an event that {model} of this release cannot read: {problem} "
        "Run the release that put it there, or one that reads both forms.",
        f"{STATE} {entity.kind}",
    )


def renamed_field(entity: type[Entity], logical_id: str, difference: Difference) -> NotYetError:
    """Describe a stored state that has unknown fields and lacks fields of this release."""
    paths = sorted(difference.path(name) for name in difference.unknown)
    missing = sorted(difference.path(name) for name in difference.missing)
    drops = ", ".join(f'"{path}"' for path in paths)
    return NotYetError(
        f"the {entity.kind} {logical_id!r} is kept with {_listed(paths)}, which {entity.__name__} of this release does "
        f"not know, and without {_listed(missing)}, for which a default would be made up. If it was renamed, keep the "
        f"old name. If nobody needs it any more, say so: class {entity.__name__}(Entity, ..., drops=({drops},)).",
        f"{STATE} {entity.kind}",
    )


def refuse_unknown_joins(service: Service, entity: type[Entity], logical_id: str, record: EntityRecord) -> None:
    """Refuse an entity in which an unknown join waits. A join that has fired is only history, and is not refused.

    Raises:
        NotYetError: this release does not know the join, or an event that it holds.
    """
    for name, held in record.slots.items():
        filled = sorted({*held.get("filled", {}), *held.get("undone", {})})
        if held.get("fired") or not filled:
            continue
        awaited = joins_of(service).get((entity.kind, name))
        where = f"the {entity.kind} {logical_id!r} waits in the join {name!r}, which holds {_listed(filled)}"
        if awaited is None:
            known = sorted(join for kind, join in joins_of(service) if kind == entity.kind)
            raise NotYetError(
                f"{where}, and this release of {service.name} has no such join of a {entity.kind}; it has "
                f"{_listed(known)}. If it was renamed, keep its name: @{service.name}.when_all(..., "
                f'name="{name}"). If it was dropped, keep it, answering `nothing`, until nothing waits in it.',
                f"{JOIN} {name}",
            )
        if strange := [wire_type for wire_type in filled if wire_type not in awaited]:
            raise NotYetError(
                f"{where}, and in this release it does not wait for {_listed(strange)}; it waits for "
                f"{_listed(sorted(awaited))}. Declare a second join under another name instead, and keep this one "
                "until nothing waits in it.",
                f"{STATE} {entity.kind}",
            )


@lru_cache(maxsize=64)
def joins_of(service: Service) -> Mapping[tuple[str, str], frozenset[str]]:
    """Return the events that each join waits for, by the kind of its entity and its name."""
    return {
        (reaction.joined.entity.kind, reaction.name): frozenset(heard.wire_type for heard in reaction.hears)
        for subject in service.subjects.values()
        for reaction in subject.reactions
        if reaction.style == "join"
    }


def _deadline_name(service: Service, wire_type: str) -> str:
    """Return the name of the deadline of a fired type, as far as the type shows it."""
    first, last = f"{service.name}.", ".due.v1"
    if not (wire_type.startswith(first) and wire_type.endswith(last)):
        return ""
    return wire_type[len(first) : -len(last)].replace("-", "_")


def _family(service: Service, wire_type: str) -> str:
    family = wire_type.rpartition(".v")[0]
    return _listed(sorted(one for one in service.subjects if one.rpartition(".v")[0] == family))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
