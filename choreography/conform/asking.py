"""Runs cases one after another: a failure in one case does not stop the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from choreography.conform.result import (
    FAILED,
    LEFT_OUT,
    PASSED,
    Case,
    CaseResult,
    ConformReport,
    NotMetError,
    NotShownError,
)
from choreography.errors import ChoreographyError
from choreography.progress import Progress

_LONGEST: Final = 400.0
"""Seconds a case may take before it counts as failed."""


class ConformError(ChoreographyError):
    """A component or a database cannot be tested."""


@asynccontextmanager
async def watched(case: Case, report: ConformReport, progress: Progress) -> AsyncIterator[None]:
    """Reserve the place of a case's result while it runs: an error around it is a failure, not the end of the run."""
    began = time.monotonic()
    report.results.append(CaseResult(case.name, FAILED, "it was not asked", 0.0))
    try:
        yield
    except Exception as error:  # noqa: BLE001 - after any error the other cases must still run
        report.results[-1] = CaseResult(case.name, FAILED, f"{type(error).__name__}: {error}", time.monotonic() - began)
    result = report.results[-1]
    tell = progress.done if result.outcome != FAILED else progress.note
    mark = "FAILED: " if result.outcome == FAILED else "left out: " if result.outcome == LEFT_OUT else ""
    tell(f"{report.name}: {case.name} ({time.monotonic() - began:.0f} s)  {mark}{result.told}")


async def asked(case: Case, rig: Any) -> CaseResult:
    """Run one case and return its result."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(_LONGEST):
            told, outcome = await case.ask(rig), PASSED
    except NotShownError as error:
        told, outcome = str(error), LEFT_OUT
    except TimeoutError:
        told, outcome = f"it had not ended after {_LONGEST:.0f} s", FAILED
    except NotMetError as error:
        told, outcome = str(error), FAILED
    return CaseResult(case.name, outcome, told, time.monotonic() - began)


def cases_named(known: Sequence[Case], only: Sequence[str]) -> list[Case]:
    """Return the cases whose names contain one of these words; all cases if there are no words.

    Raises:
        ConformError: a word matches no name.
    """
    for word in only:
        if not any(word in one.name for one in known):
            names = "; ".join(one.name for one in known)
            raise ConformError(f"No case has {word!r} in its name, so nothing would be shown. Cases are: {names}.")
    return [one for one in known if not only or any(word in one.name for word in only)]
