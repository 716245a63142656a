"""The explorer against plain enumeration: the same flow, the same properties, every way of leaving something out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from choreography.explore.faults import NO_FAULTS, Faults
from choreography.explore.model import Model
from choreography.explore.result import Limits, Result
from choreography.explore.runs import replayed, steps_along
from choreography.explore.search import search
from tests.explore.brute.flows import drawn
from tests.explore.brute.plain import TooManyError, failures, worlds
from tests.explore.brute.predicates import predicates

LARGEST = 150
PROPERTIES = 32
WAYS = {
    "whole": (False, False),
    "flows exchanged": (True, False),
    "steps left out": (True, True),
}


def compared(
    seed: int,
    flows: int,
    ways: tuple[str, ...] = tuple(WAYS),
    faults: Faults = NO_FAULTS,
    largest: int = LARGEST,
) -> tuple[Counter[str], list[str]]:
    """Return what kinds of verdicts were compared for one drawn flow, and in what the explorer was wrong."""
    model, scenario, mix = drawn(seed, flows)
    scenario = replace(scenario, faults=faults)
    try:
        places = worlds(model, scenario, largest)
    except TooManyError:
        return Counter(too_large=1), []
    drawn_ones = replace(model, properties=predicates(seed, PROPERTIES, model))
    properties = drawn_ones.beginning_with(scenario).properties
    right = {one.name: failures(places, one) for one in properties}
    wrong: list[str] = []
    for way in ways:
        exchange, reduce = WAYS[way]
        asked = replace(model, properties=properties)
        result = search(asked, scenario, Limits(reduce=reduce), exchange=exchange)
        wrong += [f"seed {seed}, {way}: {one}" for one in _differences(result, right, reduce=reduce)]
    told = Counter(verdicts=len(properties), flows=1, worlds=len(places))
    told["broken"] = sum(one is not None for one in right.values())
    told["two flows"] = len(properties) * (mix.flows > 1)
    told["joins"] = len(properties) * (mix.joins > 0)
    told["deadlines"] = len(properties) * (mix.deadlines > 0)
    told["effects"] = len(properties) * (mix.effects > 0)
    told["unlike beginnings"] = len(properties) * (mix.flows > 1 and not mix.alike)
    told["flows that share"] = len(properties) * mix.crossing
    return told, wrong


def wrong_about(model: Model, way: str) -> list[str]:
    """Return in what the explorer is wrong about a flow that was written and not drawn."""
    scenario = model.scenario()
    places = worlds(model, scenario, LARGEST)
    exchange, reduce = WAYS[way]
    right = {one.name: failures(places, one) for one in model.properties}
    return _differences(search(model, scenario, Limits(reduce=reduce), exchange=exchange), right, reduce=reduce)


def _differences(result: Result, right: dict[str, int | None], *, reduce: bool) -> list[str]:
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
        replay = replayed(result.space, steps)
        if not any(prop.fails(replay.world, flow) for flow in (replay.scenario.flows if prop.each else ("",))):
            wrong.append(f"{prop.name} is not broken by the run that is shown")
    return wrong
