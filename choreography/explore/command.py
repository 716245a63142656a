"""`choreography explore`: explores a flow, shows the findings, and writes a test if a property is broken."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from choreography.exit_codes import BROKEN, HOLDS, NOT_ALL_SEEN
from choreography.explore.coverage import unreached
from choreography.explore.foreign import foreign_events
from choreography.explore.judging import FoundState, Judge
from choreography.explore.model import Model
from choreography.explore.options import described, faults_described, options_of, settings_in
from choreography.explore.properties import ExploreError
from choreography.explore.purity import Purity
from choreography.explore.rerunning import Replay
from choreography.explore.result import SearchBounds, Tally
from choreography.explore.run_report import as_diagram, as_list, as_loop, as_test
from choreography.explore.runs import replayed, steps_along
from choreography.explore.scenario import Scenario
from choreography.explore.search import search
from choreography.explore.stuck import why_it_stopped
from choreography.explore.walking import walk


def explore(
    flow: str,
    *,
    scenario: str = "",
    settings: Mapping[str, Any] | None = None,
    words: Sequence[str] = (),
    options: Collection[str] = (),
    runs: int | None = None,
    seed: int | None = None,
    depth: int | None = None,
    states: int | None = None,
    seconds: float | None = None,
    into: Path | None = None,
    console: Console | None = None,
) -> int:
    """Explore a flow and print the findings.

    Args:
        flow: the package of the flow.
        scenario: which of its scenarios; the first one by default.
        settings: the settings of the scenario, such as ``orders=2``.
        words: more settings, as a command line writes them, such as ``--orders 2``.
        options: the options of the command line that are not settings.
        runs: walk this many random runs instead of exploring every state.
        seed: the seed of the random runs.
        depth: the most steps of a run.
        states: the most states.
        seconds: the most seconds.
        into: the folder for the test and the diagram of a broken property.
        console: where the report is printed.

    Returns:
        0 if every property holds and every `sometimes` was reached, 1 if a property is broken, 3 if the exploration
        stopped at a bound before.

    Raises:
        ExploreError: the flow cannot be explored with these arguments.
    """
    _refuse_ignored(runs, seed, states)
    out = _Out(console or Console(), into or Path("tests"))
    model = Model.of(flow)
    more = settings_in(words, model.maker(scenario), options)
    begun = model.scenario(scenario, **{**dict(settings or {}), **more})
    told = ", ".join(f"{key}={value}" for key, value in begun.settings)
    out.say(f"{model.name}, {begun.name}({told})")
    for one in foreign_events(model, begun):
        out.say(one.told)
    limits = bounded(states, depth, seconds)
    if runs:
        drawn = random.SystemRandom().randrange(10**9) if seed is None else seed
        return _walk(model, begun, limits, out, runs=runs, seed=drawn)
    return _search(model, begun, limits, out)


def bounded(states: int | None = None, depth: int | None = None, seconds: float | None = None) -> SearchBounds:
    """Return the bounds of an exploration; a bound that is not given has its default."""
    usual = SearchBounds()
    return SearchBounds(states or usual.states, depth or usual.depth, seconds or usual.seconds)


def settings_of(flow: str, scenario: str, words: Sequence[str], options: Collection[str]) -> dict[str, Any]:
    """Return the settings of a scenario from the words of a command line."""
    return settings_in(words, Model.of(flow).maker(scenario), options)


def scenarios_of(flow: str) -> list[str]:
    """Return the part of the help about a flow: its scenarios, and the options that are their settings."""
    model = Model.of(flow)
    return [
        "Scenarios and their settings:",
        *(f"  {line}" for line in described(model)),
        "Faults that any scenario may have:",
        *(f"  {line}" for line in faults_described(model)),
    ]


def _refuse_ignored(runs: int | None, seed: int | None, states: int | None) -> None:
    """Refuse options that would be ignored silently.

    Raises:
        ExploreError: there is such an option.
    """
    if seed is not None and not runs:
        raise ExploreError(
            "--seed says where random runs begin, and without --random there are none. "
            f"Write --random 1000 --seed {seed}, or leave it out."
        )
    if states is not None and runs:
        raise ExploreError(
            "--states bounds what is kept while everything is looked at, and random runs keep nothing. "
            "Leave it out; --random, --depth and --seconds bound random runs."
        )


@dataclass(frozen=True, slots=True)
class _Out:
    """Where findings are printed, and where tests and diagrams are written."""

    console: Console
    folder: Path

    def say(self, text: str, style: str = "") -> None:
        self.console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _search(model: Model, scenario: Scenario, limits: SearchBounds, out: _Out) -> int:
    with _progress(out) as progress:
        task = progress.add_task("", total=None)
        result = search(model, scenario, limits, lambda tally: progress.update(task, description=_spoken(tally)))
    tally, space = result.tally, result.space
    purity = Purity(space, result.judge)
    if not result.violations:
        _refuse_impure(purity, out)
    reduced = "; steps that cannot matter to another flow were taken in one order only" if result.reduced else ""
    out.say(f"{_spoken(tally)}, {tally.steps:,} steps, {tally.ends:,} ends, {tally.seconds:.1f} s{reduced}")
    out.say(f"{len(space.deciding.made):,} decisions of the engine, each made again as a duplicate, and elsewhere")
    _show(result.judge, space.model, {one.found.property.name for one in result.violations}, out, not result.bounds)
    again = f"choreography explore {model.name}{options_of(scenario, model)}"
    for violation in result.violations:
        if violation.path:
            steps = steps_along(space, violation.path, violation.found)
            _tell(replayed(space, steps), violation.found, again, purity, out)
        else:
            out.say(f"\n{violation.found.property.text} That {violation.found.property.complaint}.", "red")
    _cover(unreached(space), out, whole=not result.bounds)
    for bound in result.bounds:
        out.say(f"NOT EVERYTHING WAS SEEN: {bound}", "bold yellow")
    if result.crowded:
        for line in as_loop(replayed(space, steps_along(space, result.crowded))):
            out.say(line)
    return _code(broken=bool(result.violations), whole=not result.bounds)


def _walk(model: Model, scenario: Scenario, limits: SearchBounds, out: _Out, *, runs: int, seed: int) -> int:
    options = options_of(scenario, model)
    out.say(f"seed {seed}: the same again with --random {runs} --seed {seed}{options}")
    with _progress(out) as progress:
        task = progress.add_task("", total=None)
        walked = walk(
            model,
            scenario,
            runs=runs,
            seed=seed,
            limits=limits,
            told=lambda tally: progress.update(task, description=_spoken(tally)),
        )
    tally, space = walked.tally, walked.space
    purity = Purity(space, walked.judge)
    if not walked.violations:
        _refuse_impure(purity, out)
    out.say(
        f"{tally.ends:,} runs to an end, {tally.steps:,} steps, at most {tally.depth} in one, {tally.seconds:.1f} s"
    )
    _show(walked.judge, space.model, {one.found.property.name for one in walked.violations}, out, complete=False)
    for one in walked.violations:
        again = f"choreography explore {model.name}{options_of(scenario, model)} --random 1 --seed {one.seed}"
        out.say(f"\nthis run alone: {again}")
        _tell(replayed(space, one.steps), one.found, again, purity, out)
    _cover(unreached(space), out, whole=False)
    for bound in walked.bounds:
        out.say(f"NOT EVERYTHING WAS SEEN: {bound}", "bold yellow")
    return _code(broken=bool(walked.violations), whole=not walked.bounds)


def _refuse_impure(purity: Purity, out: _Out) -> None:
    """Repeat calls in fresh processes before a verdict is shown: on an impure flow the verdict means nothing."""
    purity.refuse_other_process()
    for one in purity.untried:
        out.say(f"whether this command is pure was not tried: {one}", "yellow")


def _cover(left: list[str], out: _Out, *, whole: bool) -> None:
    if left:
        out.say(f"\nno run of this scenario{'' if whole else ' that was seen'} reached everything:", "yellow")
    for one in left:
        out.say(f"  {one}")


def _code(*, broken: bool, whole: bool) -> int:
    return BROKEN if broken else HOLDS if whole else NOT_ALL_SEEN


def _show(judge: Judge, model: Model, broken: Collection[str], out: _Out, complete: bool) -> None:
    table = Table("", "property", "")
    for one in model.properties:
        if one.name in broken:
            mark = "[red]broken[/]"
        elif one.mode == "sometimes":
            mark = "[green]reached[/]" if one.name in judge.reached else "not reached yet"
        else:
            mark = "[green]holds[/]" if complete else "not broken so far"
        table.add_row(one.mode, one.text, mark)
    out.console.print(table)


def _tell(replay: Replay, found: FoundState, again: str, purity: Purity, out: _Out) -> None:
    broken = found.property
    out.say(f"\n{broken.text} That {broken.complaint}:", "red")
    for line in as_list(replay):
        out.say(line)
    if broken.mode == "eventually" and not replay.possible:
        replay.judge(broken)
        for one in why_it_stopped(replay):
            out.say(f"  it stopped: {one}")
    if broken.each and broken.name in replay.broken:
        out.say(f"  broken {replay.broken_where(broken.name)}")
    if broken.name not in replay.broken:
        purity.refuse_other_order()
        purity.refuse_other_process()
        out.say(
            "The services themselves do NOT break it on this run, so the explorer is wrong: please report it.", "red"
        )
    out.folder.mkdir(parents=True, exist_ok=True)
    test, diagram = _files(out.folder, replay.model.name, broken.name, as_test(replay, broken, again))
    diagram.write_text(as_diagram(replay, broken.text))
    out.say(f"\na test that goes through it: {test}\nits sequence diagram: {diagram}")


def _files(folder: Path, flow: str, broken: str, text: str) -> tuple[Path, Path]:
    """Return the file for a test, where no other test is, and the file for its diagram.

    The same property may be broken by other runs as well: in another scenario, with another fault, in another release.
    """
    name = re.sub(r"\W+", "_", f"{flow}_{broken}")
    for number in itertools.count(1):
        numbered = f"{name}_{number}" if number > 1 else name
        file = folder / f"test_{numbered}.py"
        with suppress(FileExistsError), file.open("x", encoding="utf-8") as fresh:
            fresh.write(text)
            break
        if file.read_text(encoding="utf-8") == text:
            break
    return file, folder / f"{numbered}.mmd"


def _progress(out: _Out) -> Progress:
    return Progress(SpinnerColumn(), TextColumn("{task.description}"), console=out.console, transient=True)


def _spoken(tally: Tally) -> str:
    return f"{tally.states:,} states, {tally.per_second:,} per second, depth {tally.depth}"
