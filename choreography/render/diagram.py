"""The event diagram of a flow as Mermaid, drawn from the declarations alone.

Solid arrows: events from a publisher to a consumer. Dashed arrows: compensations, and, there and back, the deadlines of
a service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from choreography.analysis.wiring import consumed_by
from choreography.contracts import Event
from choreography.service import Service


def event_diagram(services: Sequence[Service]) -> str:
    """Return the flowchart of a flow, deterministic to the character."""
    services = _from_the_entrance(services)
    lines = ["flowchart LR", *_nodes(services), *_outsides(services), *_deadlines(services), *_edges(services)]
    return "\n".join(lines) + "\n"


def _from_the_entrance(services: Sequence[Service]) -> list[Service]:
    """Order services for a reader: first those with commands that start events, then their consumers."""

    def listeners(service: Service) -> list[Service]:
        said = {event.wire_type for event in service.publishes}
        return [one for one in services if one is not service and said & _heard(one)]

    entrances = sorted((one for one in services if one.commands), key=lambda one: (-len(listeners(one)), one.name))
    ordered: list[Service] = []
    waiting = [*entrances[:1], *services]
    while waiting:
        service = waiting.pop(0)
        if service not in ordered:
            ordered.append(service)
            waiting = [*listeners(service), *waiting]
    return ordered


def _nodes(services: Iterable[Service]) -> Iterable[str]:
    for service in services:
        yield f"    {_id(service.name)}[{service.name}]"
    for service in services:
        routes = "<br/>".join(f"{command.method} {command.path}" for command in service.commands)
        if routes:
            yield f'    {_id(service.name)}_in(["{routes}"]):::edge --> {_id(service.name)}'


def _outsides(services: Iterable[Service]) -> Iterable[str]:
    for service in services:
        for outside in sorted({effect.outside for effect in service.effects.values()}):
            intents = ", ".join(
                effect.intent.__name__ for effect in service.effects.values() if effect.outside == outside
            )
            yield f'    {_id(service.name)} <== "{intents}" ==> {_id(outside)}[("{outside}")]:::edge'
    yield "    classDef edge fill:none,stroke-dasharray:2 2"


def _edges(services: Sequence[Service]) -> Iterable[str]:
    for publisher in services:
        for listener in services:
            heard = _heard(listener)
            told = [event for event in publisher.publishes if event.wire_type in heard and listener is not publisher]
            forward = [event for event in told if event.undoes is None]
            back = [event for event in told if event.undoes is not None]
            if forward:
                yield f'    {_id(publisher.name)} -- "{_names(forward)}" --> {_id(listener.name)}'
            if back:
                yield f'    {_id(publisher.name)} -. "{_names(back)}" .-> {_id(listener.name)}'


def _deadlines(services: Iterable[Service]) -> Iterable[str]:
    for service in services:
        for wire_type in sorted(service.deadlines):
            for reaction in service.deadlines[wire_type]:
                name, within = _id(service.name), spoken(reaction.within or timedelta(0))
                due = f'{name}_{reaction.name}{{{{"{reaction.name}"}}}}'
                # A node of its own: a loop from the service to itself would cover the names of other events.
                yield f'    {name} -. "{within} after {reaction.hears[0].__name__}" .-> {due} -.-> {name}'


def _heard(service: Service) -> set[str]:
    """Return the wire types that a service consumes; classes may differ, as a consumer may declare a narrower copy."""
    return {event.wire_type for event in consumed_by(service)}


def _names(events: Iterable[type[Event]]) -> str:
    return "<br/>".join(event.__name__ for event in events)


def _id(name: str) -> str:
    return name.replace("-", "_")


def spoken(delay: timedelta) -> str:
    """Return a delay in the words of everyday speech."""
    seconds = int(delay.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
