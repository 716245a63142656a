"""`choreography explore`: explores a flow, shows what it sees, and leaves a test behind if something breaks."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
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
    out = _Out(console or Console(), into or Path("tests"))
    model = Model.of(flow)
    begun = model.scenario(scenario, **dict(settings or {}))
    told = ", ".join(f"{key}={value}" for key, value in begun.settings)
    out.say(f"{model.name}, {scenario or next(iter(model.makers))}({told})")
    if runs:
        return _walk(model, begun, runs, random.SystemRandom().randrange(10**9) if seed is None else seed, out)
    return _search(model, begun, bounded(states, depth, seconds), out)


def bounded(states: int = 0, depth: int = 0, seconds: float = 0.0) -> Limits:
    """Return where an exploration stops; what is 0 is as usual."""
    usual = Limits()
    return Limits(states or usual.states, depth or usual.depth, seconds or usual.seconds)


def settings_in(words: list[str]) -> dict[str, int | bool | str]:
    """Read ``--orders 2 --cancel`` as settings of a scenario."""
    settings: dict[str, int | bool | str] = {}
    waiting = list(words)
    while waiting:
        name = waiting.pop(0)
        if not name.startswith("--"):
            raise typer.BadParameter(f"{name!r} stands alone. Settings of a scenario are written --name value.")
        value = waiting.pop(0) if waiting and not waiting[0].startswith("--") else "true"
        known = {"true": True, "false": False}
        settings[name[2:].replace("-", "_")] = int(value) if value.isdigit() else known.get(value.lower(), value)
    return settings


@dataclass(frozen=True, slots=True)
class _Out:
    """Where to say what was found, and where to leave what is to be kept."""

    console: Console
    folder: Path

    def say(self, text: str, style: str = "") -> None:
        self.console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _search(model: Model, scenario: Scenario, limits: Limits, out: _Out) -> int:
    with _progress(out) as progress:
        task = progress.add_task("", total=None)
        result = search(model, scenario, limits, lambda tally: progress.update(task, description=_spoken(tally)))
    tally = result.tally
    reduced = "; steps that cannot matter to another flow were taken in one order only" if result.reduced else ""
    out.say(f"{_spoken(tally)}, {tally.steps:,} steps, {tally.ends:,} ends, {tally.seconds:.1f} s{reduced}")
    out.say(f"{len(result.space.decisions):,} decisions of the engine, each made twice as a duplicate would have it")
    _show(result.judge, result.space.model, result.found, out, complete=result.complete)
    for bound in result.bounds:
        out.say(f"NOT EVERYTHING WAS SEEN: {bound}", "bold yellow")
    if result.found is not None and result.path:
        replay = replayed(result.space, steps_along(result.space, result.path))
        _tell(replay, result.found, f"choreography explore {model.name}{_options(scenario)}", out)
    if result.found is not None:
        return 1
    return 2 if result.bounds else 0


def _walk(model: Model, scenario: Scenario, runs: int, seed: int, out: _Out) -> int:
    out.say(f"seed {seed}: the same again with --random {runs} --seed {seed}")
    with _progress(out) as progress:
        task = progress.add_task("", total=None)
        walked = walk(
            model, scenario, runs=runs, seed=seed, told=lambda tally: progress.update(task, description=_spoken(tally))
        )
    tally = walked.tally
    out.say(f"{tally.ends:,} runs, {tally.steps:,} steps, at most {tally.depth} in one run, {tally.seconds:.1f} s")
    _show(walked.judge, walked.space.model, walked.found, out, complete=False)
    if walked.found is None:
        return 0
    again = f"choreography explore {model.name}{_options(scenario)} --random 1 --seed {walked.seed}"
    out.say(f"this run alone: {again}")
    _tell(replayed(walked.space, walked.steps), walked.found, again, out)
    return 1


def _show(judge: Judge, model: Model, found: Found | None, out: _Out, *, complete: bool) -> None:
    table = Table("", "property", "")
    for one in model.properties:
        if found is not None and one is found.property:
            mark = "[red]broken[/]"
        elif one.mode == "sometimes":
            mark = "[green]reached[/]" if one.name in judge.reached else "not reached yet"
        else:
            mark = "[green]holds[/]" if complete else "not broken so far"
        table.add_row(one.mode, one.text, mark)
    out.console.print(table)


def _tell(replay: Replay, found: Found, again: str, out: _Out) -> None:
    broken = found.property
    out.say(f"\n{broken.text} That {broken.complaint}:", "red")
    for line in as_list(replay):
        out.say(line)
    if broken.mode != "eventually" and broken.name not in replay.broken:
        out.say(
            "The services themselves do NOT break it on this run, so the explorer is wrong: please report it.", "red"
        )
    out.folder.mkdir(parents=True, exist_ok=True)
    test, diagram = out.folder / f"test_{broken.name}.py", out.folder / f"{broken.name}.mmd"
    test.write_text(as_test(replay, broken, again))
    diagram.write_text(as_diagram(replay, broken.text))
    out.say(f"\na test that goes through it: {test}\nits sequence diagram: {diagram}")


def _options(scenario: Scenario) -> str:
    told = ""
    for key, value in scenario.settings:
        told += f" --{key}" if value is True else "" if value is False else f" --{key} {value}"
    return told


def _progress(out: _Out) -> Progress:
    return Progress(SpinnerColumn(), TextColumn("{task.description}"), console=out.console, transient=True)


def _spoken(tally: Tally) -> str:
    return f"{tally.states:,} states, {tally.per_second:,} per second, depth {tally.depth}"
