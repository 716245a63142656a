"""`choreography conform`: one component, all cases, a table, and an exit code."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from choreography.conform.conforming import ComponentUnderTest, conform
from choreography.conform.matrix import keep, write_into
from choreography.conform.on_database import DatabaseUnderTest, conform_database
from choreography.conform.result import FAILED, LEFT_OUT, PASSED, ConformReport
from choreography.exit_codes import BROKEN, HOLDS, NOT_ALL_SEEN
from choreography.progress import Progress

__all__ = ["ComponentUnderTest", "database_of", "run", "run_database"]

_MARKS: Final = {PASSED: "[green]✓[/]", FAILED: "[red]✗[/]", LEFT_OUT: "[yellow]-[/]"}


def database_of(named: str) -> DatabaseUnderTest | None:
    """Return the database that a name on the command line means, unless the name is a component file."""
    return DatabaseUnderTest(named) if named.startswith(("postgresql:", "postgres:", "sqlite:")) else None


def run(subject: ComponentUnderTest, folder: Path, console: Console, docs: Path | None) -> int:
    """Test a component and print the results.

    Returns:
        0 if every case passed, 1 if one failed, 3 if none failed and some were not run.
    """
    _emptied(folder)
    report = asyncio.run(conform(subject, folder.resolve(), Progress(console)))
    return _shown(report, folder, console, docs)


def run_database(
    database: DatabaseUnderTest, only: Sequence[str], folder: Path, console: Console, docs: Path | None
) -> int:
    """Test a database and print the results. Returns the same exit codes."""
    _emptied(folder)
    report = asyncio.run(conform_database(database, only, folder.resolve(), Progress(console)))
    return _shown(report, folder, console, docs)


def _emptied(folder: Path) -> None:
    # Events that an earlier run left on a server would reach this run.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _shown(report: ConformReport, folder: Path, console: Console, docs: Path | None) -> int:
    console.print(_table(report))
    if docs is not None:
        results = docs / "conformance.json"
        keep(report, results, datetime.now(UTC).date().isoformat())
        write_into(docs / "conformance.md", json.loads(results.read_text()))
    return ended(report, console, folder)


def ended(report: ConformReport, console: Console, folder: Path) -> int:
    """Print the failed cases and those that could not be shown, and return the exit code."""
    of = len(report.results)
    if report.failed:
        console.print(f"{len(report.failed)} of {of} failed; the logs are in {folder}", style="red")
        return BROKEN
    if report.left_out:
        told = f"{len(report.left_out)} of {of} were left out, so nobody knows what they would show."
        console.print(told, style="yellow")
        return NOT_ALL_SEEN
    return HOLDS


def _table(report: ConformReport) -> Table:
    table = Table(
        title=f"{report.type} on {report.server}, Dapr {report.dapr}", title_justify="left", box=None, pad_edge=False
    )
    table.add_column("")
    table.add_column("what was asked")
    table.add_column("what was seen", overflow="fold")
    table.add_column("s", justify="right")
    for one in report.results:
        table.add_row(_MARKS[one.outcome], one.case, one.told, f"{one.seconds:.0f}")
    return table
