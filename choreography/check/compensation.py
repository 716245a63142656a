"""Every service that acted on an event must learn that the event is undone."""

from __future__ import annotations

from collections.abc import Iterator

from choreography.analysis.wiring import consumed_by
from choreography.check.finding import CheckedFlow, Found
from choreography.contracts import Event
from choreography.service import Service


def unreached(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each service that acts on an event but does not consume the event that undoes it."""
    for decider, undoing in flow.wiring.published:
        # Another rule reports an event that is never published.
        if undoing.undoes is None or undoing.wire_type not in {step.target for step in flow.wiring.steps}:
            continue
        undone = undoing.undoes.wire_type
        for actor, event in flow.wiring.consumers(undone):
            # The service that decides the undoing knows of it.
            if actor is decider:
                continue
            if not _knows(flow, actor, undoing):
                yield Found(
                    f"{actor.name}:{undoing.wire_type}",
                    f"{actor.name} acts on {event.__name__} but does not react to {undoing.__name__}, by which "
                    f"{decider.name} undoes it, so {actor.name} never takes back what it did.",
                    f"Write @{actor.name}.on({undoing.__name__}), for every state it can find its entity in.",
                    event,
                )
            elif _hears(actor, undoing.wire_type):
                yield from _passed_on(flow, decider, undoing, actor)


def _passed_on(flow: CheckedFlow, decider: Service, undoing: type[Event], actor: Service) -> Iterator[Found]:
    """Yield each service that acts on a consequence of the undone event, and does not learn of the undoing."""
    undone = undoing.undoes.wire_type if undoing.undoes else ""
    followed = flow.wiring.reached([undone], within=actor)
    taken_back = {event.undoes.wire_type for event in actor.publishes if event.undoes is not None}
    for said in actor.publishes:
        if said.final or said.undoes or said.wire_type not in followed or said.wire_type in taken_back:
            continue
        for listener, event in flow.wiring.consumers(said.wire_type):
            if listener in (actor, decider) or _knows(flow, listener, undoing):
                continue
            yield Found(
                f"{actor.name}:{said.wire_type}",
                f"{actor.name} says {said.__name__} because of {_name(flow, undone)}, and {listener.name} acts on it. "
                f"When {undoing.__name__} takes that back, nothing tells {listener.name}.",
                f"Let {actor.name} publish an event that undoes it (class ...(Event, undoes={said.__name__})) and "
                f"{listener.name} react to it, or let {listener.name} react to {undoing.__name__}.",
                event,
            )


def _knows(flow: CheckedFlow, service: Service, undoing: type[Event]) -> bool:
    """Tell whether a service consumes an undoing event, or publishes or consumes a cause of it."""
    causes = {
        event.wire_type
        for _, event in flow.wiring.published
        if event.undoes is not None and undoing.wire_type in flow.wiring.reached([event.wire_type])
    }
    mine = {event.wire_type for event in (*consumed_by(service), *service.publishes)}
    return bool(causes & mine)


def _hears(service: Service, wire_type: str) -> bool:
    return any(event.wire_type == wire_type for event in consumed_by(service))


def _name(flow: CheckedFlow, wire_type: str) -> str:
    published = flow.wiring.publisher(wire_type)
    return published[1].__name__ if published else wire_type
