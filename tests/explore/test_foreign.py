"""Events of foreign publishers: examples of their contracts that may come at any moment of a run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from choreography.explore import ExploreError, Replay
from choreography.explore.browser.course import Course
from choreography.explore.browser.pages import Beginning, page_of
from choreography.explore.command import explore
from choreography.explore.faults import Faults
from choreography.explore.foreign import foreign_events
from choreography.explore.model import Model
from choreography.explore.result import SearchResult
from choreography.explore.run_report import as_diagram, as_list, as_test
from choreography.explore.runs import replayed, steps_along
from choreography.explore.search import search
from choreography.explore.stuck import why_it_stopped
from choreography.explore.walking import walk
from tests.explore.brute.comparing import compared

APPROVAL = "tests.explore.twins.approval:model"


def explored(**settings: Any) -> SearchResult:
    """Explore the twin."""
    model = Model.of(APPROVAL)
    return search(model, model.scenario(**settings))


def texts(**settings: Any) -> list[dict[str, Any]]:
    """Return the events that a foreign publisher may publish."""
    model = Model.of(APPROVAL)
    return [json.loads(text) for one in foreign_events(model, model.scenario(**settings)) for text in one.examples]


@pytest.mark.parametrize(
    ("faults", "flows", "seed"),
    [
        (Faults(foreign=("Late",)), 1, 900),
        (Faults(foreign=("Late",)), 1, 901),
        (Faults(foreign=("second.told.v1", "Late")), 1, 901),
        (Faults(foreign=("Late",)), 2, 916),
        (Faults(foreign=("Late",)), 2, 902),
        (Faults(1, (), ("Late",)), 1, 901),
        (Faults(0, ("two",), ("Late",)), 1, 901),
    ],
    ids=["one", "another", "the same twice", "two flows", "two others", "with a loss", "with a service away"],
)
def test_every_verdict_with_foreign_events_is_that_of_plain_enumeration(faults: Faults, flows: int, seed: int) -> None:
    """This holds with each reduction on and off, and the run is equally short."""
    kinds, wrong = compared(seed, flows, faults=faults, largest=400)
    assert kinds["worlds"] > 1
    assert kinds["broken"]
    assert not wrong


@pytest.mark.parametrize("claims", [1, 2])
def test_a_foreign_event_breaks_a_flow_that_is_right_without(claims: int) -> None:
    """A shortest run shows it, and the services themselves repeat it."""
    assert explored(claims=claims).complete
    result = explored(claims=claims, foreign="Ruled")
    assert [one.found.property.name for one in result.violations] == ["paid_once"]
    replay = replayed(result.space, steps_along(result.space, result.path, result.violations[0].found))
    assert not replay.left_out
    assert [one.item.style for one in replay.happened].count("foreign") == 1
    assert len(replay.happened) == 3
    assert "supervisor, a foreign publisher, says Ruled" in "\n".join(as_list(replay))
    assert "Note over supervisor" in as_diagram(replay, "")
    with pytest.raises(AssertionError, match="paid_once"):
        replay.check("paid_once")


def test_chance_finds_what_a_foreign_event_breaks() -> None:
    """Random runs include foreign events as well."""
    model = Model.of(APPROVAL)
    walked = walk(model, model.scenario(foreign="Ruled"), runs=100, seed=1)
    assert walked.found is not None
    assert walked.found.property.name == "paid_once"


def test_examples_are_about_the_flows_of_the_scenario_and_take_every_case() -> None:
    """The ids are those of the scenario, and closed fields take each of their values."""
    made = texts(claims=2, foreign="Ruled")
    assert {(one["claim"], one["verdict"]) for one in made} == {
        (claim, verdict) for claim in ("claim-1", "claim-2") for verdict in ("granted", "refused")
    }


def test_examples_name_what_the_scenario_keeps_as_well() -> None:
    """They name the existing desk and not an invented one."""
    assert {one["desk"] for one in texts(foreign="Asked")} == {"front"}


def test_an_event_comes_as_often_as_it_is_named() -> None:
    """It does not come more often."""
    replay = Replay(APPROVAL, foreign="Ruled, Ruled")
    for _ in range(3):
        replay.comes("Ruled", verdict="granted")
    assert [one.item.style for one in replay.happened] == ["foreign", "foreign"]
    assert len(replay.left_out) == 1
    assert {one.style for one in replay.possible} == {"event"}


def test_a_run_ends_only_when_the_foreign_event_has_come() -> None:
    """A run without it is explored by leaving the setting out."""
    replay = Replay(APPROVAL, foreign="Ruled")
    replay.hears("clerk", "Asked")
    assert {one.style for one in replay.possible} == {"foreign"}
    replay.to_the_end()
    assert replay.happened[-1].item.name == "Ruled"


def test_the_generated_test_lets_the_foreign_event_come() -> None:
    """It makes the same scenario, and names the fields that identify the example."""
    replay = Replay(APPROVAL, foreign="Ruled")
    replay.comes("Ruled", verdict="refused")
    replay.hears("clerk", "Ruled")
    text = as_test(replay, replay.model.properties[0], "choreography explore")
    assert f"Replay(\"{APPROVAL}\", foreign='Ruled')" in text or f'Replay("{APPROVAL}", foreign="Ruled")' in text
    assert re.search(r'run\.comes\("Ruled", .*verdict="refused"', text)
    assert 'run.hears("clerk", "Ruled")' in text


def test_the_page_offers_what_a_foreign_publisher_may_say() -> None:
    """In a panel of its own; a click lets it come."""
    model = Model.of(APPROVAL)
    beginning = Beginning("claims", model.scenario(foreign="Ruled"))
    page = page_of(model, beginning, Course())
    panel = next(one for one in page.services if one.foreign)
    assert panel.name == "supervisor"
    assert {one.text for one in panel.next} == {"says Ruled"}
    after = page_of(model, beginning, Course((1,)))
    assert "supervisor, a foreign publisher, says Ruled" in after.steps[0].text
    assert any(one.text == "hears Ruled" for panel in after.services for one in panel.next)


def test_an_event_that_nobody_hears_is_refused_with_those_that_are_heard() -> None:
    """Such an event would have no effect."""
    with pytest.raises(ExploreError, match=r"Ruld cannot come.* Did you mean Ruled\? Events are Asked, Ruled"):
        Model.of(APPROVAL).scenario(foreign="Ruld")


def test_the_command_takes_the_option_more_than_once(tmp_path: Path) -> None:
    """The output lists the examples, and the generated test makes the scenario again."""
    console = Console(record=True, width=400)
    words = ["--foreign", "Ruled", "--foreign=Asked"]
    assert explore(APPROVAL, words=words, into=tmp_path, console=console) == 1
    said = console.export_text()
    assert "supervisor, a foreign publisher, says Ruled once, at any moment, as one of " in said
    assert "somebody else in the name of clerk says Asked once" in said
    assert "--foreign Ruled,Asked" in next(tmp_path.glob("test_*.py")).read_text()


def test_a_scenario_may_begin_with_an_event_of_a_foreign_publisher() -> None:
    """It comes under the name of its owner."""
    model = Model.of(APPROVAL)
    result = search(model, model.scenario("nothing_asked"))
    assert [one.found.property.name for one in result.violations] == ["paid_once"]
    replay = replayed(result.space, steps_along(result.space, result.path))
    assert {one.sender for one in replay.happened} == {"supervisor"}


def test_whoever_waits_for_a_foreign_event_is_told_how_to_let_it_come() -> None:
    """The reason why nothing happens any more names the option."""
    replay = Replay("tests.explore.twins.approval:waiting")
    replay.to_the_end()
    (why,) = why_it_stopped(replay)
    assert why.startswith("teller.close has Paid, waits for Ruled, which nothing says in this flow")
    assert why.endswith("(a foreign publisher may: --foreign Ruled)")


def test_a_generated_test_takes_the_scenario_in_which_it_was_found(tmp_path: Path) -> None:
    """This holds also for a scenario that is not the first of its flow."""
    console = Console(record=True, width=400)
    assert (
        explore(APPROVAL, scenario="nothing_asked", words=["--first", "claim-7"], into=tmp_path, console=console) == 1
    )
    made = next(tmp_path.glob("test_*.py"))
    assert f'Replay("{APPROVAL}", "nothing_asked", first=' in made.read_text()
    names: dict[str, Any] = {}
    exec(compile(made.read_text(), str(made), "exec"), names)  # noqa: S102 - it is what was generated
    with pytest.raises(AssertionError, match="paid_once"):
        next(function for name, function in names.items() if name.startswith("test_"))()
