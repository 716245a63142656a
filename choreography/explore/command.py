"""`choreography explore`: explores a flow, shows what it sees, and leaves a test behind if something breaks."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from choreography.explore.judging import Found, Judge
from choreography.explore.model import Model
from choreography.explore.replaying import Replay
from choreography.explore.runs import replayed, steps_along
from choreography.explore.scenario import Scenario
from choreography.explore.search import Limits, Tally, search
from choreography.explore.telling import as_diagram, as_list, as_test
from choreography.explore.walking import walk


def explore(
    flow: str,
    *,
    scenario: str = "",
    settings: Mapping[str, Any] | None = None,
    runs: int = 0,
    seed: int | None = None,
    depth: int = 0,
    states: int = 0,
    seconds: float = 0.0,
    into: Path | None = None,
    console: Console | None = None,
) -> int:
    """Explore a flow and say what was found.

    Args:
        flow: the package of the flow.
        scenario: which of its scenarios; the first by default.
        settings: what the scenario is made from, such as ``orders=2``.
        runs: walk so many runs by chance instead of seeing everything.
        seed: where chance begins.
        depth: follow runs no further than this.
        states: see no more states than this.
        seconds: take no longer than this.
        into: the folder for the test and the diagram of what breaks.
        console: where to write.

    Returns:
        0 if every property holds and everything was seen, 1 if one is broken, 2 if a bound was reached before.
    """
    console = console or Console()
    model = Model.of(flow)
    begun = model.scenario(scenario, **dict(settings or {}))
    told = ", ".join(f"{key}={value}" for key, value in begun.settings)
    console.print(f"[bold]{model.name}[/], {scenario or next(iter(model.makers))}({told})", highlight=False)
    usual = Limits()
    limits = Limits(states or usual.states, depth or usual.depth, seconds or usual.seconds)
    if runs:
        return _walk(model, begun, runs, random.SystemRandom().randrange(10**9) if seed is None else seed, into, console)
    return _search(model, begun, limits, into, console)


def _search(model: Model, scenario: Scenario, limits: Limits, into: Path | None, console: Console) -> int:
    with _progress(console) as progress:
        task = progress.add_task("", total=None)
        result = search(model, scenario, limits, lambda tally: progress.update(task, description=_spoken(tally)))
    reduced = ", steps that cannot matter to other flows in one order only" if result.reduced else ""
    console.print(f"{_spoken(result.tally)}, {result.tally.steps:,} steps, {result.tally.ends:,} ends{reduced}", highlight=False)
    _show(result.judge, result.space.model, result.found, complete=result.complete, console=console)
    for bound in result.bounds:
        console.print(f"NOT EVERYTHING WAS SEEN: {bound}", style="bold yellow", markup=False, highlight=False)
    if result.found is not None and result.path:
        again = f"choreography explore {model.name}{_options(scenario)}"
        _tell(replayed(result.space, steps_along(result.space, result.path)), result.found, again, into, console)
    return 1 if result.found is not None else 2 if result.bounds else 0


def _walk(model: Model, scenario: Scenario, runs: int, seed: int, into: Path | None, console: Console) -> int:
    again = f"choreography explore {model.name}{_options(scenario)}"
    console.print(f"seed {seed}: the same again with --random {runs} --seed {seed}", highlight=False)
    with _progress(console) as progress:
        task = progress.add_task("", total=None)
        walked = walk(
            model, scenario, runs=runs, seed=seed, told=lambda tally: progress.update(task, description=_spoken(tally))
        )
    console.print(f"{walked.tally.ends:,} runs, {walked.tally.steps:,} steps, at most {walked.tally.depth} in one run", highlight=False)
    _show(walked.judge, walked.space.model, walked.found, complete=False, console=console)
    if walked.found is None:
        return 0
    again += f" --random 1 --seed {walked.seed}"
    console.print(f"this run alone: {again}", highlight=False)
    _tell(replayed(walked.space, walked.steps), walked.found, again, into, console)
    return 1


def _show(judge: Judge, model: Model, found: Found | None, *, complete: bool, console: Console) -> None:
    table = Table("", "property", "")
    for one in model.properties:
        if found is not None and one is found.property:
            mark = "[red]broken[/]"
        elif one.mode == "sometimes":
            mark = "[green]reached[/]" if one.name in judge.reached else "not reached yet"
        else:
            mark = "[green]holds[/]" if complete else "not broken so far"
        table.add_row(one.mode, one.text, mark)
    console.print(table)


def _tell(replay: Replay, found: Found, again: str, into: Path | None, console: Console) -> None:
    console.print(f"\n{found.property.text} That {found.property.complaint}:", style="red", markup=False, highlight=False)
    for line in as_list(replay):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if found.property.mode != "eventually" and found.property.name not in replay.broken:
        console.print("The services themselves do NOT break it on this run: the explorer is wrong. Please report it.")
    folder = into or Path("tests")
    folder.mkdir(parents=True, exist_ok=True)
    test = folder / f"test_{found.property.name}.py"
    test.write_text(as_test(replay, found.property, again))
    diagram = folder / f"{found.property.name}.mmd"
    diagram.write_text(as_diagram(replay, found.property.text))
    console.print(f"\na test that goes through it: {test}\nits sequence diagram: {diagram}", markup=False, highlight=False)


def _options(scenario: Scenario) -> str:
    told = ""
    for key, value in scenario.settings:
        told += f" --{key}" if value is True else "" if value is False else f" --{key} {value}"
    return told


def _progress(console: Console) -> Progress:
    return Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True)


def _spoken(tally: Tally) -> str:
    return f"{tally.states:,} states, {tally.per_second:,} per second, depth {tally.depth}"
