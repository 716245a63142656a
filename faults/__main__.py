"""``python -m faults``: cause every known fault in the checkout flow, and let an auditor read all records.

python -m faults            every fault, at least 20,000 orders, about twenty minutes
python -m faults --short    one fault of each kind in four minutes, for a build
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from choreography.progress import Progress
from choreography.up import Tools, prepare
from faults.disks import mount_small_disks, unmount_small_disks
from faults.menu import Fault, menu, on_small_disks
from faults.picture import draw, one_after_another
from faults.replicated_flow import SkippedError
from faults.run import Act, Played, play
from faults.show import Show

RUN_FOLDER = Path(".run/faults")
PICTURE = Path("docs/faults.svg")
SMALL = ("redis", "postgres")


def main(
    *,
    short: Annotated[bool, typer.Option("--short", help="One fault of each kind, in a few minutes.")] = False,
    only: Annotated[str, typer.Option(help="Only faults whose name holds this.")] = "",
    seed: Annotated[int, typer.Option(help="Chooses replicas, orders and lost answers.")] = 1,
    orders: Annotated[
        int, typer.Option(help="At least so many orders (0: 20,000, or as many as fit into --short).")
    ] = 0,
    rate: Annotated[float, typer.Option(help="Orders per second.")] = 0.0,
    defect: Annotated[str, typer.Option(help="Start every service with this seeded defect (see faults.defects).")] = "",
    listed: Annotated[bool, typer.Option("--list", help="Say which faults there are, and do nothing.")] = False,
) -> None:
    """Hurt the checkout flow while orders flow, then audit it. The exit code is 0 only if no rule is broken."""
    first = [fault for fault in menu() if (fault.short or not short) and only in fault.name]
    second = [fault for fault in on_small_disks() if not short and only in fault.name]
    if listed:
        for fault in [*first, *second]:
            typer.echo(f"{fault.kind:<9} {fault.name}")
        return
    console = Console(stderr=True)
    progress = Progress(console)
    tools = prepare(progress, store="postgres", zipkin=False)
    complete = not (short or only or defect)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=_parent()))
    with Show(console, len(first) + len(second)) as show:
        least = orders or (20_000 if complete else 0)
        act = Act(
            "every fault", first, rate or (25.0 if short else 40.0), least, 3.5 if short else 6.0, seed, folder, defect
        )
        played = [_play(one, tools, progress, show) for one in ([act] if first else [])]
        # Imported late, because the mount stays for the rest of this process.
        played += [_play(one, tools, progress, show) for one in _small_disks(second, seed, folder, show)]
    if not played:
        typer.echo("No fault was chosen that can be had here. See --list.", err=True)
        raise typer.Exit(2)
    line = summary(played)
    for picture in [RUN_FOLDER / "faults.svg", *([PICTURE] if complete else [])]:
        draw(picture, *one_after_another([one.watch for one in played]), caption(line))
    holds = all(finding.holds for one in played for finding in one.findings)
    if holds:
        for one in played:
            unmount_small_disks([one.act.folder / name for name in SMALL])
            shutil.rmtree(one.act.folder, ignore_errors=True)
    else:
        console.print(f"State, logs and broker of this run are kept in {folder}.", soft_wrap=True)
    typer.echo(f"faults: {json.dumps(line)}")
    raise typer.Exit(0 if holds else 1)


def _play(act: Act, tools: Tools, progress: Progress, show: Show) -> Played:
    played = asyncio.run(play(act, tools, progress, show))
    show.verdict(f"The auditor, after {act.title}", played.findings)
    return played


def _parent() -> Path:
    RUN_FOLDER.mkdir(parents=True, exist_ok=True)
    return RUN_FOLDER


def _small_disks(faults: list[Fault], seed: int, folder: Path, show: Show) -> list[Act]:
    """Run a second act on small disks, or report why it is skipped: not every user may mount."""
    if not faults:
        return []
    small = folder.with_name(f"{folder.name}-small-disks")
    try:
        mount_small_disks([small / name for name in SMALL])
    except SkippedError as reason:
        show.phase(str(reason))
        return []
    return [Act("the full disks", faults, 30.0, 0, 6.0, seed, small)]


def summary(played: list[Played]) -> dict[str, object]:
    """Return one line about the run and the findings of the auditor."""
    broken: dict[str, int] = dict.fromkeys(("lost", "doubled", "unfinished", "pending", "wrong"), 0)
    for one in played:
        for finding in one.findings:
            broken[finding.kind] += len(finding.offenders) or (not finding.holds)
    return {
        "orders": sum(one.sent for one in played),
        "faults": sum(len(one.suffered) for one in played),
        **broken,
        "quarantined": sum(one.quarantined for one in played),
        "lost_answers": sum(one.lost_answers for one in played),
        "published_twice": sum(one.copies for one in played),
        "restarted": sum(len(one.ended_by_themselves) for one in played),
        "rules": sum(len(one.findings) for one in played),
        "seconds": round(sum(one.watch.seconds[-1][0] for one in played if one.watch.seconds)),
    }


def caption(line: dict[str, object]) -> str:
    """Return the caption of the picture."""
    return (
        f"{line['orders']:,} orders, {line['faults']} faults: {line['lost']} lost, {line['doubled']} doubled, "
        f"{line['unfinished']} unfinished, {line['wrong']} wrong. Drawn by make faults."
    )


if __name__ == "__main__":
    typer.run(main)
