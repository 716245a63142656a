"""Events that lead to themselves.

A circle is bounded if one of its reactions cannot publish its event twice for the same entity: a join runs once, and
the states of an entity stop the other reactions. To find out, the check tries the service's reactions on the entity
(`choreography.analysis.lifecycle`), so the result is an approximation: a circle through ever new entities looks
unbounded only if no reaction of it has an entity with states, and a bound by an amount is recognised up to ten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from choreography.analysis.lifecycle import repeats
from choreography.analysis.wiring import WiringStep
from choreography.check.finding import CheckedFlow, Found
from choreography.contracts import Event, Intent


def unbounded(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each circle of events that no state of an entity stops."""
    steps = [step for step in flow.wiring.steps if _goes_on(flow, step)]
    following: dict[str, list[WiringStep]] = {}
    for step in steps:
        following.setdefault(step.source, []).append(step)
    told: set[frozenset[str]] = set()
    for start in sorted({step.source for step in steps}):
        circle = _shortest_circle(following, start)
        around = frozenset(step.source for step in circle)
        if not circle or any(around & other for other in told):
            continue
        told.add(around)
        way = " -> ".join([*(_spoken(step.source) for step in circle), _spoken(circle[0].source)])
        who = ", ".join(dict.fromkeys(f"{step.service.name}.{step.reaction.name}" for step in circle))
        yield Found(
            min(around),
            f"{way} leads to itself, and each reaction on the way ({who}) can say its part again and again to one "
            "entity.",
            "Let one of these reactions remember in a status that it has done its part, and answer `nothing` then. If "
            "something else bounds the circle, suppress this and say what.",
            circle[0].reaction.function,
        )


def _goes_on(flow: CheckedFlow, step: WiringStep) -> bool:
    """Tell whether a step can be taken again and again for the same entity."""
    single = [named.entity for named in step.reaction.named if not named.many]
    said = _said(step)
    return all(repeats(flow.life(step.service, entity), step.reaction, said) for entity in single)


def _said(step: WiringStep) -> type[Event | Intent]:
    if step.effect is not None:
        return step.effect.intent
    return next(said for said in step.reaction.said if issubclass(said, Event) and said.wire_type == step.target)


def _shortest_circle(following: Mapping[str, Sequence[WiringStep]], start: str) -> tuple[WiringStep, ...]:
    ways: list[tuple[WiringStep, ...]] = [(step,) for step in following[start]]
    seen = {start}
    while ways:
        longer: list[tuple[WiringStep, ...]] = []
        for way in ways:
            if way[-1].target == start:
                return way
            if way[-1].target not in seen:
                seen.add(way[-1].target)
                longer += [(*way, step) for step in following.get(way[-1].target, ())]
        ways = longer
    return ()


def _spoken(node: str) -> str:
    return node.rpartition("/")[2]
