"""``python -m faults.defects``: is every seeded defect noticed?"""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from faults.defects.catalogue import DEFECTS
from faults.defects.hunting import Caught, hunt, hunt_all, outdated, tests_of


def main(
    *,
    only: Annotated[str, typer.Option(help="Only defects whose name holds this.")] = "",
    at_once: Annotated[int, typer.Option(help="How many test runs at a time.")] = min(2, os.cpu_count() or 1),
    verbose: Annotated[bool, typer.Option(help="Show what the tests said of those that were not caught.")] = False,
) -> None:
    """Switch on every seeded defect, one after another, and print what caught it. Exit code 0 if all are."""
    console = Console(width=150 if not Console().is_terminal else None)
    defects = [defect for name, defect in DEFECTS.items() if only in name]
    for sentence in outdated(defects):
        console.print(escape(sentence))
        raise typer.Exit(2)
    began = time.monotonic()
    console.print("without any defect, every test must pass ...")
    healthy = asyncio.run(hunt(None, tests_of(defects)))
    if healthy.fate != "survived":
        console.print(escape(healthy.output[-3000:]))
        console.print("The tests fail without any defect, so they prove nothing about one. Mend them first.")
        raise typer.Exit(2)

    def told(one: Caught) -> None:
        mark = {"caught": "[green]✓[/]", "survived": "[red]survived[/]", "broken": "[red]broken[/]"}[one.fate]
        console.print(f"  {mark} {one.defect} [dim]{one.seconds:.0f} s {escape(one.by)}[/]", soft_wrap=True)

    caught = asyncio.run(hunt_all(defects, at_once, told))
    console.print(_table(caught))
    if verbose:
        for one in caught:
            if one.fate != "caught":
                console.print(f"[bold]{one.defect}[/]\n{escape(one.output[-2000:])}")
    kept = [one.defect for one in caught if one.fate != "caught"]
    line = {
        "defects": len(caught),
        "caught": len(caught) - len(kept),
        "kill_rate": round((len(caught) - len(kept)) / max(1, len(caught)), 3),
        "survived": kept,
        "seconds": round(time.monotonic() - began),
    }
    typer.echo(f"defects: {json.dumps(line)}")
    raise typer.Exit(1 if kept else 0)


def _table(caught: list[Caught]) -> Table:
    table = Table(title="Seeded defects", title_justify="left", box=None, pad_edge=False)
    for column in ("rule", "defect", "what is wrong with it", "caught by"):
        table.add_column(column)
    for one in sorted(caught, key=lambda one: DEFECTS[one.defect].rule):
        defect = DEFECTS[one.defect]
        by = one.by.rpartition("::")[2] or one.by
        table.add_row(str(defect.rule or ""), one.defect, defect.does, escape(by) if by else f"[red]{one.fate}[/]")
    return table


if __name__ == "__main__":
    typer.run(main)
