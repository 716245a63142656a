"""Who publishes which event to whom: reads the declarations of several services together, by wire type.

A consumer may declare a narrower copy of an event, so classes are not compared.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from choreography.contracts import Event
from choreography.declaration import Effect, Reaction
from choreography.service import Service


@dataclass(frozen=True, slots=True)
class WiringStep:
    """One event leading to another: a reaction publishes the second one, directly or through an effect.

    Attributes:
        source: the wire type of the consumed event.
        target: the wire type of the event that follows; for an answer, with its service and a slash before it.
        effect: the effect in between, if there is one.
    """

    source: str
    target: str
    service: Service
    reaction: Reaction
    effect: Effect | None = None

    @property
    def takes(self) -> timedelta:
        """The time until the second try of the effect has failed too."""
        return 2 * self.effect.timeout if self.effect else timedelta(0)


class Wiring:
    """The services of one flow."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.services = tuple(services)
        self.steps = tuple(step for service in services for step in _steps(service))
        self._next: dict[str, list[WiringStep]] = {}
        for step in self.steps:
            self._next.setdefault(step.source, []).append(step)

    @property
    def published(self) -> list[tuple[Service, type[Event]]]:
        """Every event that a service publishes, with its publisher."""
        return [(service, event) for service in self.services for event in service.publishes]

    def publisher(self, wire_type: str) -> tuple[Service, type[Event]] | None:
        """Return the publisher of a wire type, and the publisher's contract."""
        return next((pair for pair in self.published if pair[1].wire_type == wire_type), None)

    def consumers(self, wire_type: str) -> list[tuple[Service, type[Event]]]:
        """Return the consumers of a wire type, each with its contract."""
        return [
            (service, event)
            for service in self.services
            for event in consumed_by(service)
            if event.wire_type == wire_type
        ]

    def following(self, node: str) -> Sequence[WiringStep]:
        """Return the steps that begin with a wire type."""
        return self._next.get(node, ())

    def reached(self, start: Iterable[str], *, within: Service | None = None) -> set[str]:
        """Return every node that follows from the given nodes, with themselves; only of one service, if it is named."""
        seen, waiting = set(start), list(start)
        while waiting:
            for step in self.following(waiting.pop()):
                if step.target not in seen and within in (None, step.service):
                    seen.add(step.target)
                    waiting.append(step.target)
        return seen

    def leading_to(self, ends: Iterable[str]) -> set[str]:
        """Return every node from which one of the given nodes can be reached, with themselves."""
        seen = set(ends)
        while grown := {step.source for step in self.steps if step.target in seen} - seen:
            seen |= grown
        return seen


def consumed_by(service: Service) -> list[type[Event]]:
    """Return the events that a service consumes, with its own contracts."""
    return [event for events in service.hears.values() for event in events]


def reactions_of(service: Service) -> list[Reaction]:
    """Return every reaction of a service once; a reaction that undoes a part of a join counts as one."""
    found: list[Reaction] = []
    for subject in service.subjects.values():
        found += [reaction for reaction in subject.reactions if reaction not in found]
    return found


def _steps(service: Service) -> Iterator[WiringStep]:
    answers = {answer.wire_type for effect in service.effects.values() for answer in effect.answers}
    for reaction in reactions_of(service):
        for heard in reaction.hears:
            source = f"{service.name}/{heard.wire_type}" if heard.wire_type in answers else heard.wire_type
            for said in sorted(reaction.said, key=lambda kind: kind.__name__):
                if issubclass(said, Event):
                    yield WiringStep(source, said.wire_type, service, reaction)
                elif said in service.effects:
                    effect = service.effects[said]
                    for answer in effect.answers:
                        yield WiringStep(source, f"{service.name}/{answer.wire_type}", service, reaction, effect)


def about(service: Service) -> str:
    """Return the docstring of the module of a service, if the service has a module of its own."""
    for function in (reaction.function for reaction in reactions_of(service)):
        module = inspect.getmodule(function)
        if module is not None and any(one is service for one in vars(module).values()):
            return inspect.getdoc(module) or ""
    return ""
