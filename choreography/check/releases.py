"""Changes that the next release of a service must not make while orders are under way, and their safe alternatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from choreography.analysis.breaking import broken
from choreography.analysis.lock import FILE
from choreography.analysis.promises import SERVICES, Promise, PromisePlace, command_route, entity_of
from choreography.analysis.wiring import reactions_of
from choreography.check.finding import CheckedFlow, Found
from choreography.service import Service

_WORDS: Final[Mapping[str, str]] = {
    SERVICES: "service",
    "entities": "entity kind",
    "reactions": "reactions to",
    "joins": "join",
    "deadlines": "deadline",
    "effects": "effect",
    "answers": "answer",
    "commands": "command",
}


def state(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each service and each kind of entity whose stored state the next release cannot find or read."""
    return _found(flow, SERVICES, "entities")


def waits(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each join and each deadline that may be waiting and that the next release would not know."""
    return _found(flow, "joins", "deadlines")


def names(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each changed name of a reaction or a command from which ids derive."""
    return _found(flow, "reactions", "commands")


def effects(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each effect and each answer that committed intents need and that the next release would not know."""
    return _found(flow, "effects", "answers")


def told_of(place: PromisePlace) -> str:
    """Return the name by which a suppression knows a promise."""
    return place.name if place.section == SERVICES else f"{place.service}.{place.name}"


def spoken(place: PromisePlace) -> str:
    """Return a promise in words."""
    whose = "" if place.section == SERVICES else f" of {place.service}"
    return f"{_WORDS[place.section]} {place.name}{whose}"


def _found(flow: CheckedFlow, *sections: str) -> Iterator[Found]:
    now = flow.promises
    services = {service.name: service for service in flow.services}
    for place, old in (flow.lock or {}).items():
        # One finding is enough for a service that is gone.
        if place.section not in sections or (place.section != SERVICES and place.service not in services):
            continue
        service = services.get(place.service)
        new = now.get(place)
        if new is None:
            yield Found(
                told_of(place),
                f"The {spoken(place)} is in {FILE} and is not declared any more.{_perhaps(flow, place, old)}",
                _instead_of_losing(place),
                service,
            )
        elif problems := broken(place, old, new):
            yield Found(
                told_of(place),
                f"The {spoken(place)} has changed in a way that breaks {FILE}: {'; '.join(problems)}.",
                _instead_of_changing(place, old, new),
                _at(flow, service, place),
            )


def _perhaps(flow: CheckedFlow, place: PromisePlace, old: Promise) -> str:
    """Return the new names of the same section: most likely the promise has been renamed to one of them."""
    now, lock = flow.promises, flow.lock or {}
    alike = [
        one.name
        for one, promise in now.items()
        if one.section == place.section and one.service in (place.service, one.name) and _alike(old, promise)
    ]
    new = [name for name in alike if place._replace(name=name) not in lock] or alike
    return f" It may be called {' or '.join(sorted(new))} now." if new else ""


def _alike(old: Promise, new: Promise) -> bool:
    """Tell whether both promises are the same but for their name, so that a rename would explain the difference."""
    return all(old[key] == new[key] for key in ("entity", "awaits", "after", "key", "event") if key in old)


def _instead_of_losing(place: PromisePlace) -> str:
    name, service = place.name, place.service
    keep: Mapping[str, str] = {
        SERVICES: f'Keep its name, Service("{name}", ...): all that it keeps and says is kept and said under it',
        "entities": f'Keep its kind: class ...(Entity, key="...", kind="{name}")',
        "reactions": f"Keep the reactions to {name}, by their names",
        "joins": f'Keep its name: @{service}.when_all(..., name="{name}"). If nobody needs it any more, let it answer '
        "`nothing` until nothing waits in it",
        "deadlines": f'Keep its name: @{service}.deadline(..., name="{name}"). If nobody needs it any more, let it '
        "answer `nothing` until none is pending",
        "effects": f"Keep the name of its function, {name}, until no intent for it is left",
        "answers": f'Keep its wire type: class ...(Answer, type="{name}")',
        "commands": f'Keep its route: @{service}.command("{name}"), beside a new one if there must be one',
    }
    return f"{keep[place.section]}. Once nothing of it can be met again, delete its entry from {FILE}."


def _instead_of_changing(place: PromisePlace, old: Promise, new: Promise) -> str:
    name, service = place.name, place.service
    lost = sorted(set(old.get("names", ())) - set(new.get("names", ())))
    keep: Mapping[str, str] = {
        "entities": "Leave the fields that are there as they are and add new ones with a default. Once no release "
        f'that runs needs a field any more, give it up: class ...(Entity, ..., kind="{name}", drops=("<field>",))',
        "reactions": "Keep the old name: " + ", ".join(f'@{service}.on(..., name="{one}")' for one in lost),
        "joins": f"Leave it as it was and declare another one beside it, under another name, for what begins from now "
        f'on: @{service}.when_all(..., name="...")',
        "deadlines": "Leave its entity and its name as they were, and declare another deadline beside it",
        "effects": "Leave it as it was and declare another effect with an intent of its own beside it",
        "answers": "Leave it as it was and answer the new shape under another wire type",
        "commands": "Leave it as it was and accept the new form at another route",
    }
    return (
        f"{keep[place.section]}. If nothing of it can be met any more, delete its entry from {FILE} and render again."
    )


def _at(flow: CheckedFlow, service: Service | None, place: PromisePlace) -> object:
    """Return the class or function of the finding."""
    if service is None:
        return None
    found: object = None
    match place.section:
        case "entities":
            found = entity_of(flow.services, place)
        case "joins" | "deadlines":
            found = next((one.function for one in reactions_of(service) if one.name == place.name), None)
        case "effects":
            found = next((one.function for one in service.effects.values() if one.name == place.name), None)
        case "commands":
            found = next((one.function for one in service.commands if command_route(one) == place.name), None)
        case _:
            pass
    return found
