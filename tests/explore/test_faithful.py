"""The explorer's states match the services': after a run both have the same entities, events and calls."""

from __future__ import annotations

import pytest

from choreography.explore.judging import Judge
from choreography.explore.looking import StateLooker
from choreography.explore.model import Model
from choreography.explore.naming import SHARED
from choreography.explore.runs import possible, replayed
from choreography.explore.space import Space
from choreography.explore.walking import one_run
from choreography.explore.world import World
from tests.explore import queue_flow

CHECKOUT = Model.of("apps.checkout")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("interchangeable", [True, False])
def test_a_random_run_leaves_the_same_world_in_the_explorer_and_in_the_services(
    seed: int, *, interchangeable: bool
) -> None:
    """All entities, events and calls agree, for flows as themselves and as interchangeable ones."""
    space = Space(CHECKOUT, CHECKOUT.scenario(orders=2, cancel=True), interchangeable=interchangeable)
    begun = space.begin()
    steps, found = one_run(space, Judge(space), seed)
    assert found is None
    state = begun
    for step in steps:
        state = next(after for taken, after in possible(space, state) if taken == step)
    assert space.at_rest(state)
    replay = replayed(space, steps)
    assert not replay.left_out
    assert not replay.pending
    believed = World(StateLooker(space, state, SHARED), space.scenario.flows)
    for service in CHECKOUT.services:
        for entity in service.entities:
            assert set(believed.every(entity)) == set(replay.world.every(entity))
        for event in service.publishes:
            assert sorted(believed.said(event), key=repr) == sorted(replay.world.said(event), key=repr)
    assert believed.calls("payment-provider") == replay.world.calls("payment-provider")


def test_a_queue_is_the_same_queue_for_both() -> None:
    """This holds also where flows see each other."""
    space = Space(queue_flow.model, queue_flow.model.scenario(), interchangeable=False)
    steps, found = one_run(space, Judge(space), 1)
    assert found is None
    assert len(replayed(space, steps).happened) == len(steps) == 2
