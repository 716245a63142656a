"""A service like another, but for the reactions that are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from choreography import Event, Service


def altered(service: Service, *, without: Iterable[str] = (), **flawed: Callable[..., Any]) -> Service:
    """Declare a service anew, with flawed reactions in place of those of the same name."""
    twin = Service(service.name, publishes=service.publishes, starts=service.starts)
    done: set[tuple[str, str]] = set()
    for subject in service.subjects.values():
        for reaction in subject.reactions:
            key = (subject.wire_type if reaction.style == "event" else "once", reaction.name)
            if reaction.style == "undo" or reaction.name in without or key in done:
                continue
            done.add(key)
            function = flawed.get(reaction.name, reaction.function)
            events = tuple(one for one in reaction.hears if issubclass(one, Event))
            if reaction.style == "join":
                twin.when_all(*events, name=reaction.name)(function)
            elif reaction.style == "deadline" and reaction.within is not None:
                twin.deadline(after=events[0], within=reaction.within, name=reaction.name)(function)
            else:
                twin.on(reaction.hears[0], name=reaction.name)(function)
    twin.effects = dict(service.effects)
    twin.commands, twin.views, twin.lists = list(service.commands), list(service.views), list(service.lists)
    return twin
