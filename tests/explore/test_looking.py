"""A property may look at any flow in any way: the explorer and the services give the same verdict."""

from __future__ import annotations

from typing import Any

import pytest

from choreography.explore import World, always, eventually, never, sometimes
from choreography.explore.properties import Property
from choreography.explore.runs import replayed, steps_along
from choreography.explore.search import search
from choreography.explore.walking import walk
from tests.explore.seats_flow import Booked, Booking, Cancelled, with_property


def status(world: World, flow: str) -> str:
    """Return what one booking says."""
    return world.state_of(Booking, flow).status


@never
def one_ahead_of_the_other(world: World) -> bool:
    """No booking is cancelled while the other is unknown: asked of all flows by name."""
    return {status(world, flow) for flow in world.flows} == {"cancelled", "unknown"}


@never
def ahead_of_another(world: World, booking_id: str) -> bool:
    """The same, asked of each flow about the others."""
    others = [flow for flow in world.flows if flow != booking_id]
    return status(world, booking_id) == "cancelled" and any(status(world, one) == "unknown" for one in others)


@never
def ahead_of_some(world: World, booking_id: str) -> bool:
    """The same, asked of each flow about every entity there is."""
    return status(world, booking_id) == "cancelled" and len(world.every(Booking)) < len(world.flows)


@always
def said_of_all(world: World, booking_id: str) -> bool:
    """Whoever asks for what was said of all flows is shown that of all flows."""
    return len(world.said(Booked)) == len(world.flows) and bool(booking_id)


@never
def the_last_is_cancelled(world: World) -> bool:
    """A property about one flow by its id is about that flow."""
    return status(world, world.flows[-1]) == "cancelled"


@never
def the_last_is_cancelled_each(world: World, booking_id: str) -> bool:
    """The same, asked of each flow."""
    return booking_id == world.flows[-1] and status(world, booking_id) == "cancelled"


@never
def the_first_is_cancelled(world: World) -> bool:
    """It is not, where only the last is ever cancelled."""
    return (
        any(one.booking_id == world.flows[0] for one in world.said(Cancelled))
        or status(world, world.flows[0]) == "cancelled"
    )


@eventually
def all_are_cancelled(world: World) -> bool:
    """In the end all are cancelled."""
    return all(one.status == "cancelled" for one in world.every(Booking))


@sometimes
def first_booked_last_cancelled(world: World) -> bool:
    """The first may be booked while the last is cancelled."""
    return (status(world, world.flows[0]), status(world, world.flows[-1])) == ("booked", "cancelled")


@sometimes
def first_cancelled_where_only_the_last_is(world: World) -> bool:
    """The first is never cancelled where only the last is."""
    return status(world, world.flows[0]) == "cancelled"


BROKEN: list[tuple[Property, dict[str, Any], int]] = [
    (one_ahead_of_the_other, {}, 1),
    (ahead_of_another, {}, 1),
    (ahead_of_another, {"bookings": 3}, 1),
    (ahead_of_some, {}, 1),
    (the_last_is_cancelled, {}, 1),
    (the_last_is_cancelled, {"only_last": True}, 1),
    (the_last_is_cancelled_each, {}, 1),
    (all_are_cancelled, {"only_last": True}, 3),
]
SOUND: list[tuple[Property, dict[str, Any]]] = [
    (said_of_all, {}),
    (the_first_is_cancelled, {"only_last": True}),
    (all_are_cancelled, {}),
    (first_booked_last_cancelled, {}),
    (first_booked_last_cancelled, {"only_last": True}),
]


@pytest.mark.parametrize(("prop", "settings", "length"), BROKEN, ids=[one[0].name for one in BROKEN])
def test_what_is_broken_across_flows_is_found_by_a_shortest_run_that_the_services_go_through(
    prop: Property, settings: dict[str, Any], length: int
) -> None:
    """The run names the right flow, whichever of the equal flows the explorer followed."""
    model = with_property(prop)
    result = search(model, model.scenario(**settings))
    assert [one.found.property for one in result.violations] == [prop]
    steps = steps_along(result.space, result.path, result.found)
    assert len(steps) == length
    with pytest.raises(AssertionError, match=prop.name):
        replayed(result.space, steps).check(prop.name)


@pytest.mark.parametrize(("prop", "settings"), SOUND, ids=[one[0].name for one in SOUND])
def test_what_holds_across_flows_is_said_to_hold(prop: Property, settings: dict[str, Any]) -> None:
    """This includes one flow by its id, where the flows do not begin alike."""
    model = with_property(prop)
    assert search(model, model.scenario(**settings)).complete


def test_what_only_another_flow_reaches_is_not_reached() -> None:
    """A flow that begins unlike the others is not taken for one of them."""
    model = with_property(first_cancelled_where_only_the_last_is)
    result = search(model, model.scenario(only_last=True))
    assert [one.path for one in result.violations] == [()]


@pytest.mark.parametrize("prop", [one_ahead_of_the_other, ahead_of_another, ahead_of_some, the_last_is_cancelled_each])
def test_random_runs_look_at_all_flows_as_well(prop: Property) -> None:
    """The services break the same property on the same run."""
    model = with_property(prop)
    walked = walk(model, model.scenario(), runs=50, seed=1)
    assert walked.found is not None
    assert prop.name in replayed(walked.space, walked.steps).broken
