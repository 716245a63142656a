"""Events that nobody consumes, that nobody publishes, or that are declared and never published."""

from __future__ import annotations

from collections.abc import Iterator

from choreography.analysis.wiring import consumed_by, reactions_of
from choreography.check.finding import CheckedFlow, Found


def unheard(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each event that nobody reacts to and that is not marked final."""
    for service, event in flow.wiring.published:
        if not event.final and not flow.wiring.consumers(event.wire_type):
            yield Found(
                event.wire_type,
                f"{service.name} publishes {event.__name__}, and no service of the flow reacts to it.",
                f"Write the reaction that is missing, or say that nobody needs one: class {event.__name__}(..., "
                "final=True).",
                event,
            )


def unpublished(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each event that a service consumes and no service publishes."""
    for service in flow.services:
        for event in consumed_by(service):
            if flow.wiring.publisher(event.wire_type) is None:
                family = event.wire_type.rpartition(".v")[0]
                near = sorted(
                    {one.wire_type for _, one in flow.wiring.published if one.wire_type.rpartition(".v")[0] == family}
                )
                hint = f" (published is {', '.join(near)})" if near else ""
                yield Found(
                    f"{service.name}:{event.wire_type}",
                    f"{service.name} reacts to {event.__name__} ({event.wire_type}), which no service publishes{hint}.",
                    "Add it to the publishes=[...] of the service that says it, correct its wire type, or drop the "
                    "reaction. If another flow publishes it, suppress this and name that flow.",
                    event,
                )


def unsaid(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each event that a service declares, and that no reaction, no command and no application publishes."""
    for service in flow.services:
        said = {one for reaction in reactions_of(service) for one in reaction.said}
        said |= {command.event for command in service.commands}
        for event in () if service.outbox else service.publishes:
            if event not in said:
                yield Found(
                    event.wire_type,
                    f"{service.name} declares that it publishes {event.__name__}, but no reaction and no command of it "
                    "says so.",
                    f"Say it in a reaction (-> Decision[... | {event.__name__}]), or take it out of publishes=[...].",
                    event,
                )
