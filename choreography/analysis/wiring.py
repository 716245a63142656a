"""Who says what to whom: the declarations of several services read together, compared by wire type.

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
    """One thing leading to another: a reaction that says something, directly or through an effect.

    Attributes:
        source: the wire type of what is heard.
        target: the wire type of what follows; an answer's is preceded by its service and a slash.
        effect: what is carried out in between, if anything.
    """

    source: str
    target: str
    service: Service
    reaction: Reaction
    effect: Effect | None = None

    @property
    def takes(self) -> timedelta:
        """How long the effect may take until its second try has failed too."""
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
        """Every event somebody publishes, with its publisher."""
        return [(service, event) for service in self.services for event in service.publishes]

    def publisher(self, wire_type: str) -> tuple[Service, type[Event]] | None:
        """Return who publishes a wire type, and its contract there."""
        return next((pair for pair in self.published if pair[1].wire_type == wire_type), None)

    def consumers(self, wire_type: str) -> list[tuple[Service, type[Event]]]:
        """Return who reacts to a wire type, and how each of them reads it."""
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
        """Return every node that follows from some, themselves included; of one service only, if one is named."""
        seen, waiting = set(start), list(start)
        while waiting:
            for step in self.following(waiting.pop()):
                if step.target not in seen and within in (None, step.service):
                    seen.add(step.target)
                    waiting.append(step.target)
        return seen

    def leading_to(self, ends: Iterable[str]) -> set[str]:
        """Return every node from which one of some is reached, themselves included."""
        seen = set(ends)
        while grown := {step.source for step in self.steps if step.target in seen} - seen:
            seen |= grown
        return seen


def consumed_by(service: Service) -> list[type[Event]]:
    """Return the events a service reacts to, as it reads them."""
    return [event for events in service.hears.values() for event in events]


def reactions_of(service: Service) -> list[Reaction]:
    """Return every reaction of a service once; what undoes a part of a join counts as one."""
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
    """Return what the module of a service says about it, if a module of its own declares it."""
    for function in (reaction.function for reaction in reactions_of(service)):
        module = inspect.getmodule(function)
        if module is not None and any(one is service for one in vars(module).values()):
            return inspect.getdoc(module) or ""
    return ""
