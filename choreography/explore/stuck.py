"""Explains why nothing happens any more: which event a reaction lacks, and why its publisher did not publish it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import orjson

from choreography.contracts import Event
from choreography.declaration import Reaction
from choreography.explore.model import Model
from choreography.explore.rerunning import Replay


@dataclass(frozen=True, slots=True)
class Awaited:
    """One reaction that waits: the wire types that have reached it, and those that have not."""

    service: str
    reaction: str
    has: tuple[str, ...]
    lacks: tuple[str, ...]


def why_it_stopped(replay: Replay) -> list[str]:
    """Return a sentence for each join that waits at the end of a run, each loss, and each absent service."""
    found = [_why(replay, awaited, flow) for awaited, flow in _joins(replay)]
    return list(dict.fromkeys((*_lost(replay), *found, *_away(replay))))


def _why(replay: Replay, awaited: Awaited, flow: str) -> str:
    about = f" ({flow})" if flow and len(replay.scenario.flows) > 1 else ""
    for lost in replay.lost:
        if lost.service == awaited.service and lost.type in awaited.lacks and flow in lost.text:
            has = _listed(replay.model, awaited.has)
            return f"{awaited.service}.{awaited.reaction} has {has}, waits for {lost.name}, which was lost{about}"
    return chain(replay.model, awaited, replay.said, replay) + about


def _lost(replay: Replay) -> Iterator[str]:
    """Yield a sentence for each lost delivery that a consumer still misses."""
    for one in replay.lost:
        yield f"{one.name} was lost on its way to {one.service}"


def _away(replay: Replay) -> Iterator[str]:
    """Yield a sentence for each absent service that has deliveries under way."""
    for name in replay.scenario.faults.away:
        if waiting := dict.fromkeys(one.name for one in replay.pending if one.service == name):
            yield f"{name} is away, so on its way to it stays {' and '.join(waiting)}"


def _joins(replay: Replay) -> Iterator[tuple[Awaited, str]]:
    """Yield each waiting join, with its flow."""
    flows = replay.scenario.flows
    for name, memory in replay.services.items():
        subjects = memory.service.subjects.values()
        joins = {one.name: one for subject in subjects for one in subject.reactions if one.style == "join"}
        for _, record in memory.records():
            for join, slots in record.slots.items():
                if join in joins and slots["filled"] and not slots["fired"]:
                    awaited = [one.wire_type for one in joins[join].hears]
                    has = tuple(one for one in awaited if one in slots["filled"])
                    lacks = tuple(one for one in awaited if one not in has)
                    flow = next((one for one in flows if one in str(slots["filled"])), "")
                    yield Awaited(name, join, has, lacks), flow


def chain(model: Model, awaited: Awaited, said: Collection[str], replay: Replay | None = None) -> str:
    """Follow a missing event to the reaction that would publish it, and on to its missing events, to an end or a cycle.

    With the run, the text also says why a reaction that lacks nothing did not publish it.
    """
    has = f"has {_listed(model, awaited.has)}, " if awaited.has else ""
    text = f"{awaited.service}.{awaited.reaction} {has}waits for {_listed(model, awaited.lacks)}"
    seen, lacks = {f"{awaited.service}.{awaited.reaction}"}, awaited.lacks
    while lacks:
        # The chain follows the first of several missing events, and then names it again.
        which, this = (", which", "") if len(lacks) == 1 else (";", f" {_listed(model, lacks[:1])}")
        sayers = _sayers(model, lacks[0])
        if not sayers:
            return f"{text}{which} nothing says{this}{_foreign(model, lacks[0])}"
        only = "only " if len(sayers) == 1 else ""
        text += f"{which} {only}{' or '.join(sayers)} says{this}"
        name, reaction = next(iter(sayers.items()))
        if name in seen or reaction is None:
            return text
        seen.add(name)
        heard = [one.wire_type for one in reaction.hears if issubclass(one, Event)]
        lacks = tuple(one for one in heard if one not in said)
        text += (
            f", which waits for {_listed(model, lacks)}" if lacks else _silent(replay, name.partition(".")[0], heard)
        )
    return text


def _silent(replay: Replay | None, service: str, heard: Collection[str]) -> str:
    """Return the reason why a reaction of a service published nothing, although all of its events were published."""
    if replay is None:
        return ""
    names = _listed(replay.model, sorted(heard))
    if service in replay.scenario.faults.away:
        return f", and {service} is away"
    for lost in replay.lost:
        if lost.service == service and lost.type in heard:
            return f", to which {lost.name} was lost on its way"
    for problem in map(orjson.loads, replay.read(("quarantined",))):
        if problem[:1] == [service] and problem[1] in heard:
            return f", which quarantined {replay.model.event_name(problem[1])}"
    for item in replay.pending:
        if item.service == service and item.type in heard:
            return f", to which {item.name} is still on its way"
    return f", which heard {names} and did not say it"


def _foreign(model: Model, wire_type: str) -> str:
    """Return how an event may come that no service of this flow publishes, and which event has a similar name."""
    if any(event.wire_type == wire_type for service in model.services for event in service.publishes):
        return ""
    name = model.event_name(wire_type)
    for service in model.services:
        for event in service.publishes:
            if event.__name__ == name:
                return f" in this flow; {service.name} publishes a {name} of another type, {event.wire_type}"
    return f" in this flow (a foreign publisher may: --foreign {name})"


def _sayers(model: Model, wire_type: str) -> dict[str, Reaction | None]:
    """Return the reactions that may publish an event, and the commands, which wait for no event."""
    found: dict[str, Reaction | None] = {}
    for service in model.services:
        for subject in service.subjects.values():
            for one in subject.reactions:
                if any(getattr(said, "wire_type", "") == wire_type for said in one.said):
                    found[f"{service.name}.{one.name}"] = one
        for command in service.commands:
            if command.event.wire_type == wire_type:
                found[f"the command {service.name}.{command.name}"] = None
    return found


def _listed(model: Model, types: Sequence[str]) -> str:
    return " and ".join(_named(model, one) for one in types)


def _named(model: Model, wire_type: str) -> str:
    """Return the name of an event, with its type if another event of the flow has the same name."""
    name = model.event_name(wire_type)
    alike = {event.wire_type for service in model.services for event in service.publishes if event.__name__ == name}
    return name if alike <= {wire_type} else f"{name} ({wire_type})"
