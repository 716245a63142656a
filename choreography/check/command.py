"""`choreography check FLOW`: exit code 0 if there is no finding, 1 if there is one, 2 if the check is impossible."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Final

from rich.console import Console

from choreography.check.checking import check
from choreography.check.finding import CheckReport
from choreography.check.machine_report import as_json, as_sarif
from choreography.check.rules import RULES
from choreography.check.text_report import tell
from choreography.errors import ChoreographyError
from choreography.progress import Progress

UNKNOWN: Final = 2


class Format(StrEnum):
    """The format of a report."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def run(flow: str, form: Format = Format.TEXT) -> int:
    """Check a flow, print the report, and return the exit code."""
    try:
        report = _checked(flow)
    except ChoreographyError as error:
        Console(stderr=True).print(f"{error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return UNKNOWN
    match form:
        case Format.TEXT:
            tell(report, Console(highlight=False))
        case Format.JSON:
            sys.stdout.write(as_json(report))
        case Format.SARIF:
            sys.stdout.write(as_sarif(report, RULES))
    return report.exit_code


def _checked(flow: str) -> CheckReport:
    """Check a flow, and show the progress on a terminal; a log or a program wants only the report."""
    progress = Progress()
    if not progress.console.is_terminal:
        return check(flow)
    with progress.doing(f"checking {flow}") as ticker:
        return check(flow, ticker.tick)
