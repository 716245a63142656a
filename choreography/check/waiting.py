"""Waits without an end, and deadlines that end a wait too early."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache

from choreography.analysis.wiring import WiringStep, reactions_of
from choreography.check.finding import CheckedFlow, Found
from choreography.declaration import Reaction
from choreography.service import Service


def endless(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each join that no deadline of the flow ends."""
    for service in flow.services:
        for join in reactions_of(service):
            if join.style == "join" and not any(
                _ends(flow, service, join, owner, deadline) for owner, deadline in _deadlines(flow)
            ):
                awaited = " and ".join(heard.__name__ for heard in join.hears)
                yield Found(
                    f"{service.name}.{join.name}",
                    f"{service.name}.{join.name} waits for {awaited}, and no deadline in the flow ends the wait.",
                    f"Declare a deadline at what begins the wait, here or in another service (@{service.name}.deadline("
                    f"after=..., within=...)), whose event reaches a reaction of {service.name} on its "
                    f"{join.joined.entity.__name__}.",
                    join.function,
                )


def _deadlines(flow: CheckedFlow) -> Iterator[tuple[Service, Reaction]]:
    for service in flow.services:
        for reactions in service.deadlines.values():
            for deadline in reactions:
                yield service, deadline


def _ends(flow: CheckedFlow, service: Service, join: Reaction, owner: Service, deadline: Reaction) -> bool:
    awaited = {heard.wire_type for heard in join.hears}
    if not flow.wiring.reached([deadline.hears[0].wire_type]) & awaited:
        # The deadline starts at an event that has nothing to do with the wait.
        return False
    if owner is service and any(named.entity is join.joined.entity for named in deadline.named):
        return True
    said = [one.wire_type for one in deadline.said if hasattr(one, "wire_type")]
    answers = {
        f"{owner.name}/{answer.wire_type}"
        for intent, effect in owner.effects.items()
        if intent in deadline.said
        for answer in effect.answers
    }
    return bool(flow.wiring.reached([*said, *answers]) & _heard_on(service, join))


def _heard_on(service: Service, join: Reaction) -> set[str]:
    """Return the other events that a service consumes about the entity of a wait."""
    return {
        heard.wire_type
        for reaction in reactions_of(service)
        if reaction.style == "event" and any(named.entity is join.joined.entity for named in reaction.named)
        for heard in reaction.hears
    }


def hasty(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each deadline that fires before the effects it waits for can have failed twice."""
    for service, deadline in _deadlines(flow):
        within = deadline.within or timedelta(0)
        start = deadline.hears[0].wire_type
        takes, steps = _longest(flow, start, service, deadline)
        if within < takes:
            calls = ", ".join(
                f"{step.service.name}.{step.effect.name} ({_seconds(step.effect.timeout)} a try)"
                for step in steps
                if step.effect
            )
            yield Found(
                f"{service.name}.{deadline.name}",
                f"{service.name}.{deadline.name} comes {_seconds(within)} after {deadline.hears[0].__name__}, but what "
                f"it waits for may take {_seconds(takes)} without anything being wrong: {calls}, each tried twice.",
                "Give the deadline more time, or the effect a shorter timeout.",
                deadline.function,
            )


def _longest(
    flow: CheckedFlow, start: str, service: Service, deadline: Reaction
) -> tuple[timedelta, tuple[WiringStep, ...]]:
    """Return the slowest path from an event back to the deadline's entity, with no step taken twice."""
    kinds = {named.entity for named in deadline.named}
    ends = {
        f"{service.name}/{heard.wire_type}" if _is_answer(service, heard.wire_type) else heard.wire_type
        for reaction in reactions_of(service)
        if reaction.style in ("event", "join") and any(named.entity in kinds for named in reaction.named)
        for heard in reaction.hears
    } - {start}
    relevant = flow.wiring.leading_to(ends)

    @cache
    def longest(node: str, seen: frozenset[str]) -> tuple[timedelta, tuple[WiringStep, ...]] | None:
        best: tuple[timedelta, tuple[WiringStep, ...]] | None = (timedelta(0), ()) if node in ends else None
        for step in flow.wiring.following(node):
            # The events that follow from a deadline are no part of its wait.
            if step.target in seen or step.target not in relevant or step.reaction.style == "deadline":
                continue
            rest = longest(step.target, seen | {step.target})
            if rest is not None and (best is None or rest[0] + step.takes > best[0]):
                best = (rest[0] + step.takes, (step, *rest[1]))
        return best

    return longest(start, frozenset({start})) or (timedelta(0), ())


def _is_answer(service: Service, wire_type: str) -> bool:
    return any(answer.wire_type == wire_type for effect in service.effects.values() for answer in effect.answers)


def _seconds(delay: timedelta) -> str:
    return f"{delay.total_seconds():g} s"
