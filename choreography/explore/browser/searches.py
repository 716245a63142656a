"""Searches that continue while a user looks at a page: one at a time, each until its bounds."""

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
    """One property that a search found broken, and the run to the broken state."""

    text: str
    complaint: str
    course: Course


@dataclass(slots=True)
class PageSearch:
    """One search, running or finished."""

    beginning: Beginning
    tally: Tally = field(default_factory=Tally)
    breaches: tuple[Breach, ...] = ()
    bounds: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    problem: str = ""
    over: bool = False


class Searches:
    """Starts a search for each scenario that a page asks for, and keeps its findings."""

    def __init__(self, model: Model, limits: SearchBounds) -> None:
        self._model, self._limits = model, limits
        self._known: dict[str, PageSearch] = {}
        self._one_at_a_time = threading.Lock()

    def of(self, beginning: Beginning) -> PageSearch:
        """Return the search of a scenario; start it if there is none yet."""
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
        except Exception as error:  # noqa: BLE001 - a page shows it, since an error in a thread is invisible
            state.problem = f"{type(error).__name__}: {error}"
        finally:
            state.over = True


def _breaches(beginning: Beginning, result: SearchResult) -> Iterator[Breach]:
    for violation in result.violations:
        steps = steps_along(result.space, violation.path, violation.found) if violation.path else []
        course = course_along(result.space.model, beginning.scenario, steps)
        yield Breach(violation.found.property.text, violation.found.property.complaint, course)
