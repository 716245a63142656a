"""An impure function is an error with its name, whatever it depends on besides its input."""

from __future__ import annotations

import datetime as dt
import io
import random
import re
import time
from collections.abc import Iterable
from datetime import UTC, date
from datetime import datetime as moment
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from choreography.explore import World, always
from choreography.explore.command import explore
from choreography.explore.elsewhere import ImpureError
from choreography.explore.model import Model
from choreography.explore.purity import Purity
from choreography.explore.search import search
from choreography.explore.walking import walk
from tests.explore.impure_flow import (
    AT_ONCE,
    PLACES,
    counting,
    failing_now_and_then,
    flawed,
)
from tests.explore.unordered_flow import FLAWS


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("flaw", AT_ONCE)
def test_what_is_taken_from_outside_the_input_is_an_error_with_the_name(flaw: str, place: str) -> None:
    """The error shows both results, for every sort of function."""
    model = flawed(place, AT_ONCE[flaw]())
    with pytest.raises(ImpureError, match=rf"^{re.escape(PLACES[place])} is not pure: given "):
        search(model, model.scenario())


@pytest.mark.parametrize("place", ["a reaction", "a join", "a deadline", "an answer", "a command"])
def test_a_function_that_fails_now_and_then_is_not_pure(place: str) -> None:
    """A failure counts as a result."""
    model = flawed(place, failing_now_and_then())
    with pytest.raises(ImpureError, match=rf"^{PLACES[place]} is not pure"):
        search(model, model.scenario())


def test_two_flows_make_no_difference() -> None:
    """It also does not matter that the explorer would exchange them."""
    model = flawed("a reaction", AT_ONCE["random"]())
    with pytest.raises(ImpureError, match=r"(?s)^lottery\.draw is not pure: given lot.ordered.v1 .*first: .*seed: "):
        search(model, model.scenario(orders=2))


@pytest.mark.parametrize("place", PLACES)
def test_random_runs_notice_it_as_well(place: str) -> None:
    """The check is the same for every call."""
    model = flawed(place, counting())
    with pytest.raises(ImpureError, match=rf"^{re.escape(PLACES[place])} is not pure"):
        walk(model, model.scenario(), runs=2, seed=1)


def test_a_property_that_changes_its_mind_is_named() -> None:
    """Otherwise the explorer would seem to report a false run."""
    flips = counting()

    @always
    def flipping(world: World) -> bool:
        """It holds every other time."""
        return bool(world.flows) and int(flips("")) % 2 == 0

    model = flawed("nowhere", str)
    object.__setattr__(model, "properties", (*model.properties, flipping))
    with pytest.raises(ImpureError, match=r"(?s)^the property flipping is not pure: .*first: True\n.*seed: False\n"):
        search(model, model.scenario())


@pytest.mark.parametrize("place", ["a reaction", "a command", "a property"])
def test_a_file_is_outside_the_input_though_it_stays_the_same(place: str, tmp_path: Path) -> None:
    """Another replica may find another content there."""
    prices = tmp_path / "prices"
    prices.write_text("5")
    model = flawed(place, lambda _: prices.read_text())
    expected = rf"(?s)^{re.escape(PLACES[place])} is not pure: given .+, it opened the file {prices}\."
    with pytest.raises(ImpureError, match=expected):
        search(model, model.scenario())


def explored(flow: str, runs: int | None = None) -> int:
    """Explore as the command line does, without its output."""
    return explore(flow, runs=runs, seed=1 if runs else None, console=Console(file=io.StringIO()))


@pytest.mark.parametrize("runs", [None, 2], ids=["everything", "at random"])
def test_what_shows_in_another_process_only_is_an_error(runs: int | None) -> None:
    """A process that imports the flow anew repeats the calls."""
    with pytest.raises(ImpureError, match=r"(?s)^shop\.place is not pure: given .+ in a fresh process, with another "):
        explored("tests.explore.impure_flow:flawed_in_command", runs)


def named(errors: Iterable[ImpureError]) -> set[str]:
    """Return the names of functions that are not pure."""
    return {str(error).partition(" is not pure")[0] for error in errors}


def test_every_sort_of_function_is_called_in_another_process() -> None:
    """Each gets the input it had when explored; of several together, the first to differ is named."""
    model = Model.of("tests.explore.impure_flow:flawed_everywhere")
    result = search(model, model.scenario())
    later = {PLACES["an outside"], PLACES["a projection"]}
    assert named(Purity(result.space, result.judge).in_fresh_processes()) == set(PLACES.values()) - later


def test_rows_that_are_others_in_another_process_are_an_error() -> None:
    """The rows of a projection are compared like the decisions of a reaction."""
    with pytest.raises(ImpureError, match=rf"^{PLACES['a projection']} is not pure"):
        explored("tests.explore.impure_flow:flawed_in_projection", None)


def test_whatever_differs_between_processes_is_found() -> None:
    """Sets, hashes, addresses, values drawn at import, the time zone, and memories of earlier calls."""
    model = Model.of("tests.explore.unordered_flow:model")
    result = search(model, model.scenario())
    found = named(Purity(result.space, result.judge).in_fresh_processes())
    assert found == {f"notes.{flaw.replace(' ', '_')}" for flaw in FLAWS}


def test_a_pure_flow_is_the_same_everywhere() -> None:
    """The report has no finding about it."""
    assert explored("tests.explore.impure_flow:pure") == 0


def lot(order_id: str) -> str:
    """Compute with a given time, in a zone from a file, and with random numbers from a given seed."""
    when = moment(2026, 1, 2, tzinfo=UTC)
    assert isinstance(when, moment)
    ZoneInfo.clear_cache()
    when = when.astimezone(ZoneInfo("Europe/Berlin"))
    return f"{when + dt.timedelta(days=1)} {random.Random(order_id).random()} {date(2026, 1, 2)}"


@pytest.mark.parametrize("place", PLACES)
def test_a_pure_function_may_handle_times_and_seeded_chance(place: str) -> None:
    """A given time is no clock, and random numbers from a given seed are repeatable."""
    model = flawed(place, lot)
    assert search(model, model.scenario()).complete


def test_the_clock_and_the_chance_of_whoever_explores_are_left_as_they_were() -> None:
    """The checks in other processes do not change this one."""
    model = flawed("nowhere", str)
    random.seed(5)
    expected = random.random()
    random.seed(5)
    search(model, model.scenario())
    assert random.random() == expected
    assert abs(moment.now(UTC).timestamp() - time.time()) < 60
    assert date.today() is not None  # noqa: DTZ011 - the very thing that was replaced
