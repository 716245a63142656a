"""A flow with lost deliveries or an absent service, and the report of such a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from apps.checkout.order import Order
from choreography.explore import ExploreError, Replay
from choreography.explore.command import explore
from choreography.explore.faults import Faults
from choreography.explore.model import Model
from choreography.explore.result import SearchResult
from choreography.explore.run_report import as_diagram, as_list, as_test
from choreography.explore.runs import replayed, steps_along
from choreography.explore.search import search
from choreography.explore.stuck import why_it_stopped
from tests.explore.brute.comparing import compared

CHECKOUT = "apps.checkout"
FEW = 5
"""Flows with other faults each: the comparison of all verdicts without faults is in test_brute_force.py."""


def explored(**settings: Any) -> SearchResult:
    """Explore checkout with faults."""
    model = Model.of(CHECKOUT)
    return search(model, model.scenario(**settings))


@pytest.mark.parametrize(
    ("faults", "flows"),
    [
        (Faults(lose=1), 1),
        (Faults(lose=2), 1),
        (Faults(lose=1), 2),
        (Faults(away=("two",)), 2),
        (Faults(1, ("two",)), 1),
    ],
    ids=["lose 1", "lose 2", "lose 1 of two flows", "one service away", "lose 1 and one service away"],
)
def test_every_verdict_with_faults_is_that_of_plain_enumeration(faults: Faults, flows: int) -> None:
    """This holds with each reduction on and off, and the run is equally short."""
    seen, wrong, seed = 0, list[str](), 500
    while seen < FEW:
        kinds, differences = compared(seed, flows, faults=faults)
        seen += kinds["flows"] and kinds["worlds"] > 1
        wrong += differences
        seed += 1
    assert not wrong


def test_a_lost_delivery_keeps_an_order_from_its_end() -> None:
    """A shortest run shows it, and the services themselves repeat it."""
    result = explored(lose=1)
    broken = {one.found.property.name: one for one in result.violations}
    assert "every_order_ends" in broken
    found = broken["every_order_ends"]
    replay = replayed(result.space, steps_along(result.space, found.path, found.found))
    assert not replay.left_out
    assert len(replay.lost) == 1
    assert any("is lost on its way from" in line for line in as_list(replay))
    assert f"{replay.lost[0].name} was lost on its way to {replay.lost[0].service}" in why_it_stopped(replay)
    assert "-x" in as_diagram(replay, "")
    with pytest.raises(AssertionError, match="every_order_ends"):
        replay.check("every_order_ends")


def test_nothing_but_the_end_of_an_order_depends_on_one_delivery() -> None:
    """No `@never` property breaks, whichever one delivery is lost."""
    assert {one.found.property.mode for one in explored(lose=1).violations} == {"eventually"}


def test_an_order_needs_nobody_who_only_listens() -> None:
    """Without notification no customer gets a message; everything else ends as usual."""
    result = explored(away="notification")
    assert not result.bounds
    assert result.tally.ends
    assert [one.found.property.name for one in result.violations] == ["every_order_ends"]
    replay = replayed(result.space, steps_along(result.space, result.path))
    assert replay.world.state_of(Order, "order-1").status in ("completed", "cancelled")


def test_a_service_that_is_away_and_missed_is_named() -> None:
    """Without shipping no order ends, and the reason names the absent service and the waiting join."""
    result = explored(away="shipping")
    found = next(one for one in result.violations if one.found.property.name == "every_order_ends")
    replay = replayed(result.space, steps_along(result.space, found.path, found.found))
    assert not replay.possible
    assert any(one.startswith("shipping is away, so on its way to it stays ") for one in why_it_stopped(replay))


def test_the_generated_test_of_a_loss_has_the_loss() -> None:
    """It makes the same scenario, and loses the same delivery."""
    replay = Replay(CHECKOUT, lose=1)
    replay.loses("billing", "OrderCreated")
    text = as_test(replay, replay.model.properties[0], "choreography explore")
    assert f'Replay("{CHECKOUT}", lose=1)' in text
    assert 'run.loses("billing", "OrderCreated")' in text


def test_no_more_is_lost_than_the_scenario_says() -> None:
    """Further deliveries stay on their way."""
    replay = Replay(CHECKOUT, lose=1)
    replay.loses("billing", "OrderCreated")
    replay.loses("inventory", "OrderCreated")
    assert [one.service for one in replay.lost] == ["billing"]
    assert replay.left_out


@pytest.mark.parametrize("settings", [{"lose": 21}, {"lose": -1}, {"lose": "some"}, {"away": "shiping"}])
def test_faults_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    """The message lists the valid ones."""
    with pytest.raises(ExploreError, match=r"from 0 to 20|Did you mean shipping|integer"):
        Model.of(CHECKOUT).scenario(**settings)


def test_the_command_takes_faults_as_options(tmp_path: Path) -> None:
    """They appear in the first line, and in the command that repeats the run."""
    console = Console(record=True, width=200)
    code = explore(CHECKOUT, words=["--away", "shipping"], into=tmp_path, console=console)
    assert code == 1
    assert "away=shipping" in console.export_text()
    made = next(tmp_path.glob("test_*.py")).read_text()
    assert "--away shipping" in made
    assert 'away="shipping"' in made or "away='shipping'" in made


def test_a_step_that_changes_nothing_says_so() -> None:
    """The list and the diagram say so; a step that fills a slot of a join does change something."""
    replay = Replay(CHECKOUT)
    replay.to_the_end()
    idle = [one for one in replay.happened if one.idle]
    assert len(idle) == sum("changes nothing" in line for line in as_list(replay)) > 0
    assert len(idle) == as_diagram(replay, "").count("changes nothing")
    joined = [one for one in replay.happened if (one.item.service, one.item.name) == ("shipping", "StockReserved")]
    assert not any(one.idle for one in joined)


def test_a_generated_test_runs_by_pytest_without_pythonpath(tmp_path: Path) -> None:
    """It runs from the folder of the flow, in a project without any settings."""
    (tmp_path / "flow_of_mine").mkdir()
    (tmp_path / "flow_of_mine" / "__init__.py").write_text("")
    for name in ("service", "properties"):
        (tmp_path / "flow_of_mine" / f"{name}.py").write_text(_SOURCES[name])
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_found.py").write_text(
        "from choreography.explore import Replay\n\n\n"
        "def test_found() -> None:\n"
        '    run = Replay("flow_of_mine")\n'
        '    run.hears("desk", "Begun")\n'
        '    run.check("counted")\n'
    )
    for folder, path in ((tmp_path, "tests/test_found.py"), (tmp_path / "tests", "test_found.py")):
        pytest_alone = [str(Path(sys.executable).parent / "pytest"), "-q", "-p", "no:cacheprovider", path]
        ran = subprocess.run(pytest_alone, cwd=folder, capture_output=True, text=True, check=False, env={"PATH": ""})
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_generated_test_runs_in_an_empty_folder_with_an_installed_package(tmp_path: Path) -> None:
    """It fails only because of the found flaw, and passes once the flow is mended."""
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    (installed / "flow_of_mine").mkdir(parents=True)
    empty.mkdir()
    (installed / "flow_of_mine" / "__init__.py").write_text("")
    for name in ("service", "properties"):
        (installed / "flow_of_mine" / f"{name}.py").write_text(_SOURCES[name])
    flaw = installed / "flow_of_mine" / "service.py"
    flaw.write_text(flaw.read_text().replace("number=1", "number=2"))
    environment = {"PATH": "", "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    programs = Path(sys.executable).parent
    for command, code, says in (
        (["choreography", "explore", "flow_of_mine"], 1, "It is counted."),
        (["pytest", "-q", "-p", "no:cacheprovider", "tests"], 1, "AssertionError: It is counted. (counted)"),
    ):
        run = [str(programs / command[0]), *command[1:]]
        ran = subprocess.run(run, cwd=empty, capture_output=True, text=True, check=False, env=environment)
        assert ran.returncode == code, ran.stdout + ran.stderr
        assert says in ran.stdout
    flaw.write_text(flaw.read_text().replace("number=2", "number=1"))
    ran = subprocess.run(run, cwd=empty, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_generated_tests_never_overwrite_one_another(tmp_path: Path) -> None:
    """Another run to the same property gets another file; the same run does not."""
    for words in ([], [], ["--lose", "1"], ["--away", "notification"], ["--lose", "1"]):
        explore("tests.explore.twins.overwritten_status:model", words=words, into=tmp_path, console=Console(quiet=True))
    made = sorted(tmp_path.glob("test_*every_order_ends*.py"))
    assert len(made) == len({file.read_text() for file in made}) == 3
    assert len(list(tmp_path.glob("*every_order_ends*.mmd"))) == 3


def test_a_property_that_is_gone_is_an_error_and_no_failure() -> None:
    """The error says that the test has become useless, and lists the existing properties."""
    with pytest.raises(ExploreError, match=r"no property 'gone'.* nothing_is_quarantined"):
        Replay(CHECKOUT).check("gone")


_SOURCES = {
    "service": """
from choreography import Decision, Entity, Event, Service


class Begun(Event, owner="desk", subject="flow", type="desk.begun.v1"):
    flow: str


class Count(Entity, key="flow"):
    flow: str
    number: int = 0


desk = Service("desk", publishes=[Begun])


@desk.on(Begun)
def count(count: Count, begun: Begun) -> Decision:
    return count.but(number=1)
""",
    "properties": """
from choreography.explore import Scenario, World, eventually, scenario
from flow_of_mine.service import Begun, Count


@scenario
def one() -> Scenario:
    return Scenario(("flow-1",), says=(Begun(flow="flow-1"),))


@eventually
def counted(world: World, flow: str) -> bool:
    \"\"\"It is counted.\"\"\"
    return world.state_of(Count, flow).number == 1
""",
}
