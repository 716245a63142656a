"""Searches that go on while a page is looked at: one at a time, each until its limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from choreography.explore.browser.course import Course, course_along
from choreography.explore.browser.pages import Beginning
from choreography.explore.coverage import unreached
from choreography.explore.model import Model
from choreography.explore.purity import Purity
from choreography.explore.result import SearchBounds, SearchResult, Tally
from choreography.explore.runs import steps_along
from choreography.explore.search import search


@dataclass(frozen=True, slots=True)
class Breach:
    """One property that a search saw broken, and the run to where it is."""

    text: str
    complaint: str
    course: Course


@dataclass(slots=True)
class PageSearch:
    """One search, under way or over."""

    beginning: Beginning
    tally: Tally = field(default_factory=Tally)
    breaches: tuple[Breach, ...] = ()
    bounds: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    problem: str = ""
    over: bool = False


class Searches:
    """Starts a search for each scenario that is asked for, and keeps what it found."""

    def __init__(self, model: Model, limits: SearchBounds) -> None:
        self._model, self._limits = model, limits
        self._known: dict[str, PageSearch] = {}
        self._one_at_a_time = threading.Lock()

    def of(self, beginning: Beginning) -> PageSearch:
        """Return the search of a scenario, started if there was none yet."""
        key = beginning.address(Course())
        if key not in self._known:
            self._known[key] = PageSearch(beginning)
            threading.Thread(target=self._run, args=(self._known[key],), daemon=True).start()
        return self._known[key]

    def _run(self, state: PageSearch) -> None:
        def tell(tally: Tally) -> None:
            state.tally = tally

        try:
            with self._one_at_a_time:
                result = search(self._model, state.beginning.scenario, self._limits, tell)
                if not result.violations:
                    Purity(result.space, result.judge).refuse_other_process()
            state.tally, state.bounds = result.tally, tuple(result.bounds)
            state.breaches = tuple(_breaches(state.beginning, result))
            state.unreached = tuple(unreached(result.space))
        except Exception as error:  # noqa: BLE001 - a page must say it, as nobody sees what a thread raises
            state.problem = f"{type(error).__name__}: {error}"
        finally:
            state.over = True


def _breaches(beginning: Beginning, result: SearchResult) -> Iterator[Breach]:
    for violation in result.violations:
        steps = steps_along(result.space, violation.path, violation.found) if violation.path else []
        course = course_along(result.space.model, beginning.scenario, steps)
        yield Breach(violation.found.property.text, violation.found.property.complaint, course)
