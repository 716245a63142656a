"""The explorer itself: its report, its bounds, and runs that can be repeated."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from choreography.explore import ExploreError, Replay, Scenario, World, outside, scenario, sometimes
from choreography.explore.command import explore
from choreography.explore.model import Model
from choreography.explore.properties import Property
from choreography.explore.result import SearchBounds
from choreography.explore.run_report import as_diagram, as_list
from choreography.explore.runs import replayed, steps_along
from choreography.explore.search import search
from choreography.explore.walking import walk
from tests.explore import queue_flow
from tests.explore.twins import cancel_race, forgetful_join

CHECKOUT = Model.of("apps.checkout")
ROOT = Path(__file__).parents[2]


def ended(name: str) -> str:
    """Return pytest's result for one file, run from the root of the repository."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@sometimes
def pigs_fly(world: World) -> bool:
    """Pigs fly."""
    return len(world.flows) > 5


def ended_thrice(world: World, order_id: str, times: int) -> bool:
    """Ask for more than a property is shown."""
    return len(world.flows) == times and bool(order_id)


def test_what_can_never_happen_is_said() -> None:
    """A property that must be possible and is not fails, so a flow in which nothing happens does not pass."""
    model = replace(CHECKOUT, properties=(*CHECKOUT.properties, pigs_fly))
    result = search(model, model.scenario())
    assert result.found is not None
    assert (result.found.property, result.path) == (pigs_fly, [])


@pytest.mark.parametrize(
    ("limits", "said"),
    [(SearchBounds(states=100), "states were seen"), (SearchBounds(depth=5), "runs of 5 steps were followed")],
)
def test_a_bound_that_is_reached_is_said(limits: SearchBounds, said: str) -> None:
    """States that were not seen are not reported as seen."""
    result = search(CHECKOUT, CHECKOUT.scenario(), limits)
    assert not result.complete
    assert any(said in bound for bound in result.bounds)


def test_the_command_leaves_a_test_that_fails_for_the_flaw_and_passes_without_it(tmp_path: Path) -> None:
    """The generated file can be committed: pytest runs it, and it contains only the flow's run."""
    flow, console = "tests.explore.twins.cancel_race:model", Console(quiet=True)
    assert explore(flow, settings={"cancel": True}, into=tmp_path, console=console) == 1
    [test] = tmp_path.glob("test_*_dispatched_and_cancelled.py")
    assert "1 failed" in ended(str(test))
    test.write_text(test.read_text().replace(flow, "apps.checkout"))
    assert "1 passed" in ended(str(test))


def test_the_command_says_how_a_sound_flow_was_seen(tmp_path: Path) -> None:
    """It prints states, speed, depth, and a table of properties; exit code 0 and no file."""
    console = Console(record=True, width=160, quiet=False, file=(tmp_path / "told").open("w"))
    assert explore("apps.checkout", settings={"orders": 1}, into=tmp_path, console=console) == 0
    told = console.export_text()
    assert re.search(r"1,678 states, [\d,]+ per second, depth 18, 5,432 steps, 18 ends", told)
    assert "An order can be completed." in told
    assert not list(tmp_path.glob("test_*.py"))


def test_the_command_answers_three_where_it_could_not_see_everything(tmp_path: Path) -> None:
    """A bound is no success."""
    console = Console(record=True, width=160, file=(tmp_path / "told").open("w"))
    assert explore("apps.checkout", states=100, into=tmp_path, console=console) == 3
    assert "NOT EVERYTHING WAS SEEN" in console.export_text()


def test_a_counterexample_is_told_as_a_list_and_as_a_picture() -> None:
    """They show numbered steps, publisher, consumer and event, and the changes."""
    result = search(forgetful_join.model, forgetful_join.model.scenario())
    replay = replayed(result.space, steps_along(result.space, result.path))
    told = as_list(replay)
    assert told[0] == "  1. billing hears OrderCreated from order"
    assert told[-3:] == [
        "  4. shipping hears PaymentCharged from billing",
        "       Shipment order-1: status dispatched",
        "       says ShipmentDispatched",
    ]
    picture = as_diagram(replay, "Too early.")
    assert picture.startswith("sequenceDiagram\n    participant order as order\n")
    assert picture.endswith("    Note over order,shipping: BROKEN: Too early.\n")
    assert "billing->>shipping: 4. PaymentCharged" in picture


def test_random_runs_find_what_is_seldom_and_their_seed_finds_it_again() -> None:
    """A failing run is shortened, and its seed is enough to repeat it."""
    model = cancel_race.model
    walked = walk(model, model.scenario(orders=2, cancel=True), runs=200, seed=7)
    assert walked.found is not None
    assert len(walked.steps) <= 12
    again = walk(model, model.scenario(orders=2, cancel=True), runs=1, seed=walked.seed)
    assert again.steps == walked.steps
    assert walked.found.property.name in replayed(walked.space, walked.steps).broken


def test_a_reduced_search_of_two_orders_still_tells_a_shortest_run() -> None:
    """The report leaves out steps of the other order that the reduction put first."""
    model = forgetful_join.model
    assert len(search(model, model.scenario(orders=2)).path) == len(search(model, model.scenario()).path)


def test_flows_that_see_each_other_are_not_exchanged() -> None:
    """A queue that remembers the first order is explored with every order as itself."""
    result = search(queue_flow.model, queue_flow.model.scenario())
    assert result.complete
    assert result.space.flows == ()
    assert result.judge.reached == {"the_second_can_win"}


def test_a_run_that_is_not_possible_any_more_proves_nothing() -> None:
    """Steps that a mended flow no longer takes are skipped."""
    run = Replay("apps.checkout")
    run.hears("shipping", "PaymentCharged")
    assert run.left_out == ["shipping PaymentCharged"]
    run.check("dispatched_too_early")


def test_what_is_missing_is_said_in_sentences() -> None:
    """Each error says what is wrong and what to do."""
    with pytest.raises(ExploreError, match="nothing says what must be true"):
        Model.of("apps.payment_provider")
    with pytest.raises(ExploreError, match=r"has no setting colour; it has orders, stock, cancel, restock"):
        CHECKOUT.scenario(colour="red")
    with pytest.raises(ExploreError, match="could be taken for a part of something else"):
        Scenario(("o1",))
    with pytest.raises(ExploreError, match="nothing says how that may answer"):
        replace(CHECKOUT, outsides={}).check()
    with pytest.raises(ExploreError, match="Give every parameter a default"):
        scenario(Scenario)
    with pytest.raises(ExploreError, match="takes 3 parameters"):
        sometimes(ended_thrice)
    with pytest.raises(ExploreError, match="declares no reply"):
        search(CHECKOUT.but(outside=outside("payment-provider")(lambda *_: ())), CHECKOUT.scenario())


def test_properties_of_other_scenarios_are_not_asked_for() -> None:
    """Without a cancel request nobody expects one to succeed."""
    asked: list[Property] = list(CHECKOUT.beginning_with(CHECKOUT.scenario()).properties)
    assert "cancelled_as_asked" not in {one.name for one in asked}
    assert "completed" in {one.name for one in asked}
