"""An exploration reports where it stops, and judges only the states that it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from choreography.explore.command import explore
from choreography.explore.model import Model
from choreography.explore.result import SearchBounds
from choreography.explore.search import search
from choreography.explore.walking import walk
from tests.explore.asking_flow import asking
from tests.explore.seats_flow import with_property
from tests.explore.test_looking import first_cancelled_where_only_the_last_is
from tests.explore.twins import forgetful_join

CHECKOUT = Model.of("apps.checkout")
asking_for_ever = asking(0)
asking_six_times = asking(6)
never_cancelled = with_property(first_cancelled_where_only_the_last_is)


def told(flow: str, folder: Path, **options: Any) -> tuple[int, str]:
    """Return the exit code and the output of the command."""
    console = Console(record=True, width=160, file=(folder / "told").open("w"))
    return explore(flow, into=folder, console=console, **options), console.export_text()


@pytest.mark.parametrize("most", [2, 4, 6, 12])
def test_a_flow_that_says_the_same_many_times_and_ends_is_seen_whole(most: int) -> None:
    """Equal events are counted, and the end of the flow is judged as an end."""
    model = asking(most)
    result = search(model, model.scenario())
    assert result.complete
    assert result.tally.ends == 1


@pytest.mark.parametrize("flows", [1, 2])
def test_what_is_cut_is_said_and_never_judged_as_an_end(flows: int) -> None:
    """A flow that asks for ever has no end, so no property about its end can fail."""
    model = asking_for_ever
    result = search(model, model.scenario(asks=flows), SearchBounds(states=5_000))
    assert not result.violations
    assert not result.complete
    assert result.tally.ends == 0


def test_the_command_says_what_was_cut_and_shows_what_goes_round(tmp_path: Path) -> None:
    """The exit code is 3 and no test is generated, as nothing is known to be broken."""
    code, said = told("tests.explore.test_bounds:asking_for_ever", tmp_path)
    assert code == 3
    assert "NOT EVERYTHING WAS SEEN: ask.made.v1 was published 20 times alike" in said
    assert "It may go round for ever, with nothing but these steps:" in said
    assert "other hears Asked from asker" in said
    assert not list(tmp_path.glob("test_*.py"))


def test_random_runs_say_what_was_cut_as_well(tmp_path: Path) -> None:
    """The exit code is 3 again, and 0 where every run reached its end."""
    code, said = told("tests.explore.test_bounds:asking_for_ever", tmp_path, runs=5, seed=1)
    assert code == 3
    assert "NOT EVERYTHING WAS SEEN" in said
    code, said = told("tests.explore.test_bounds:asking_six_times", tmp_path, runs=5, seed=1)
    assert code == 0
    assert "NOT EVERYTHING WAS SEEN" not in said


@pytest.mark.parametrize("reduce", [True, False])
def test_a_flaw_is_found_with_its_own_depth_and_not_with_less(*, reduce: bool) -> None:
    """A flaw at depth 4 is found where runs of 4 steps are followed."""
    model = forgetful_join.model
    assert not search(model, model.scenario(), SearchBounds(depth=3, reduce=reduce)).violations
    found = search(model, model.scenario(), SearchBounds(depth=4, reduce=reduce)).found
    assert found is not None
    assert found.property.name == "dispatched_too_early"


def test_a_flow_is_seen_whole_with_as_many_states_as_it_has_and_not_with_fewer() -> None:
    """A bound counts exactly the states that exist."""
    states = search(CHECKOUT, CHECKOUT.scenario()).tally.states
    whole = search(CHECKOUT, CHECKOUT.scenario(), SearchBounds(states=states))
    assert whole.complete
    short = search(CHECKOUT, CHECKOUT.scenario(), SearchBounds(states=states - 1))
    assert short.bounds == [f"{states - 1:,} states were seen, and there are more."]
    assert short.tally.states == states - 1


def test_a_flow_is_seen_whole_with_the_length_of_its_longest_run_and_not_with_less() -> None:
    """The same holds for steps."""
    depth = search(CHECKOUT, CHECKOUT.scenario()).tally.depth
    assert search(CHECKOUT, CHECKOUT.scenario(), SearchBounds(depth=depth)).complete
    assert not search(CHECKOUT, CHECKOUT.scenario(), SearchBounds(depth=depth - 1)).complete


def test_time_is_a_bound_also_within_one_depth() -> None:
    """It does not wait until all states of one depth are done."""
    result = search(CHECKOUT, CHECKOUT.scenario(orders=2), SearchBounds(seconds=0.2))
    assert result.bounds
    assert result.tally.seconds < 5


def test_what_is_never_reached_gets_its_sentence(tmp_path: Path) -> None:
    """It is reported only after a complete search, because otherwise it is unknown."""
    flow, settings = "tests.explore.test_bounds:never_cancelled", {"only_last": True}
    code, said = told(flow, tmp_path, settings=settings)
    assert code == 1
    assert (
        "The first is never cancelled where only the last is. That must hold in some state, and there is none." in said
    )
    code, said = told(flow, tmp_path, settings=settings, states=2)
    assert code == 3
    assert "not reached yet" in said


def test_several_properties_are_broken_in_one_run_of_the_command_each_with_its_test(tmp_path: Path) -> None:
    """No test overwrites another, and each carries the name of its flow."""
    flow = "tests.explore.twins.cancel_race:model"
    code, _ = told(flow, tmp_path, settings={"cancel": True})
    assert code == 1
    tests = sorted(one.name for one in tmp_path.glob("test_*.py"))
    assert len(tests) > 1
    assert all(one.startswith("test_tests_explore_twins_cancel_race_model_") for one in tests)


def test_random_runs_find_several_broken_properties_as_well() -> None:
    """Each is found once, with a run of its own."""
    model = forgetful_join.model
    walked = walk(model, model.scenario(), runs=300, seed=5)
    names = [one.found.property.name for one in walked.violations]
    assert "dispatched_too_early" in names
    assert len(names) == len(set(names))
