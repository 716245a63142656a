"""The explorer against plain enumeration: the same flow, the same properties, with every reduction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from choreography.explore import Replay
from choreography.explore.faults import NO_FAULTS, Faults
from choreography.explore.model import Model
from choreography.explore.result import SearchBounds, SearchResult
from choreography.explore.runs import steps_along
from choreography.explore.scenario import Scenario
from choreography.explore.search import search
from tests.explore.brute.flows import Mix, drawn
from tests.explore.brute.plain import TooManyError, failures, worlds
from tests.explore.brute.predicates import predicates

LARGEST = 150
PROPERTIES = 32
WAYS = {
    "whole": (False, False),
    "flows exchanged": (True, False),
    "steps left out": (True, True),
}


@dataclass(frozen=True, slots=True)
class Right:
    """What plain enumeration says of one drawn flow.

    Attributes:
        verdicts: after how many steps each property fails; None if it never does.
        worlds: how many there are.
    """

    model: Model
    scenario: Scenario
    mix: Mix
    verdicts: Mapping[str, int | None]
    worlds: int


@lru_cache(maxsize=256)
def plainly(seed: int, flows: int, faults: Faults = NO_FAULTS, largest: int = LARGEST) -> Right | None:
    """Return what plain enumeration says of one drawn flow; None if it is too large for that.

    The result is cached, because a flow that shows a defect is searched without and with the defect.
    """
    model, scenario, mix = drawn(seed, flows)
    scenario = replace(scenario, faults=faults)
    try:
        places = worlds(model, scenario, largest)
    except TooManyError:
        return None
    model = replace(model, properties=predicates(seed, PROPERTIES, model)).beginning_with(scenario)
    return Right(model, scenario, mix, {one.name: failures(places, one) for one in model.properties}, len(places))


def compared(
    seed: int,
    flows: int,
    ways: tuple[str, ...] = tuple(WAYS),
    faults: Faults = NO_FAULTS,
    largest: int = LARGEST,
) -> tuple[Counter[str], list[str]]:
    """Return the kinds of compared verdicts for one drawn flow, and the explorer's errors."""
    right = plainly(seed, flows, faults, largest)
    if right is None:
        return Counter(too_large=1), []
    wrong: list[str] = []
    for way in ways:
        exchange, reduce = WAYS[way]
        result = search(right.model, right.scenario, SearchBounds(reduce=reduce), exchange=exchange)
        wrong += [f"seed {seed}, {way}: {one}" for one in _differences(result, right.verdicts, reduce=reduce)]
    number, mix = len(right.verdicts), right.mix
    told = Counter(verdicts=number, flows=1, worlds=right.worlds)
    told["broken"] = sum(one is not None for one in right.verdicts.values())
    told["two flows"] = number * (mix.flows > 1)
    told["joins"] = number * (mix.joins > 0)
    told["deadlines"] = number * (mix.deadlines > 0)
    told["effects"] = number * (mix.effects > 0)
    told["unlike beginnings"] = number * (mix.flows > 1 and not mix.alike)
    told["flows that share"] = number * mix.crossing
    return told, wrong


def wrong_about(model: Model, way: str) -> list[str]:
    """Return the explorer's errors about a flow that was written and not drawn."""
    scenario = model.scenario()
    places = worlds(model, scenario, LARGEST)
    exchange, reduce = WAYS[way]
    right = {one.name: failures(places, one) for one in model.properties}
    return _differences(search(model, scenario, SearchBounds(reduce=reduce), exchange=exchange), right, reduce=reduce)


def _differences(result: SearchResult, right: Mapping[str, int | None], *, reduce: bool) -> list[str]:
    if result.bounds:
        return [f"not everything was seen: {result.bounds}"]
    wrong = []
    shown = {one.found.property.name: one for one in result.violations}
    for name, depth in right.items():
        if (name in shown) != (depth is not None):
            wrong.append(
                f"{name} is {'broken' if depth is not None else 'not broken'}, and the explorer says otherwise"
            )
    for place, violation in enumerate(result.violations):
        prop, depth = violation.found.property, right[violation.found.property.name]
        if not violation.path or depth is None:
            continue
        steps = steps_along(result.space, violation.path, violation.found)
        if (place == 0 or not reduce) and len(steps) != depth:
            wrong.append(f"{prop.name} breaks after {depth} steps, and the explorer takes {len(steps)}")
        # Only the last world of the run is judged, and by this property alone.
        replay = Replay(replace(result.space.model, properties=()), result.space.scenario)
        for one in steps:
            replay.take(one.style, one.service, one.type, one.text, one.replies)
        if not any(prop.fails(replay.world, flow) for flow in (replay.scenario.flows if prop.each else ("",))):
            wrong.append(f"{prop.name} is not broken by the run that is shown")
    return wrong
