"""Finding the event that kills the process.

Just after a start, every event gets a durable mark before it is run. An event whose mark is found was being run when
the process died: it is run alone under a time limit, and after too many deaths it is quarantined unrun.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import Final

from choreography.engine.identity import store_key
from choreography.engine.operations import (
    ANY_ETAG,
    Answer,
    Commit,
    Committed,
    Limits,
    Operation,
    Read,
    Values,
    Write,
)
from choreography.engine.plan import Plan
from choreography.engine.quarantine import failed
from choreography.engine.reacting import Ran
from choreography.engine.records import Quarantined
from choreography.errors import InvalidEventError, UnsayableEventError

_CLEARED_TTL: Final = 60


class Suspects:
    """Marks, and what follows from them."""

    def __init__(self, service: str, limits: Limits, guard: Callable[[float], AbstractContextManager[None]]) -> None:
        self._service, self._limits, self._guard = service, limits, guard
        self._deaths: dict[str, int] = {}
        self._marked: set[str] = set()
        """Marked by this very process: such a mark tells of a retry, not of a death."""

    def _key(self, plan: Plan) -> str:
        return store_key(self._service, "suspect", plan.identity)

    def mark(self, plans: Sequence[Plan]) -> Generator[Operation, Answer, list[Plan]]:
        """Mark every event of a batch as being run. Return those that must run alone."""
        fresh = {self._key(plan): plan for plan in plans if not plan.problem and plan.identity not in self._marked}
        if fresh:
            answer = yield Read(tuple(sorted(fresh)))
            found = answer.found if isinstance(answer, Values) else {}
            deaths = {plan.identity: int(found[key].value) if key in found else 0 for key, plan in fresh.items()}
            self._deaths |= {identity: count for identity, count in deaths.items() if count}
        alone = [plan for plan in plans if plan.identity in self._deaths]
        if fresh and (len(plans) == 1 or not alone):
            marks = tuple(
                Write(key, str(deaths[plan.identity] + 1), ANY_ETAG, self._ttl) for key, plan in sorted(fresh.items())
            )
            if isinstance((yield Commit(marks)), Committed):
                self._marked |= deaths.keys()
        return alone

    @property
    def _ttl(self) -> int:
        return self._limits.horizon_seconds

    def cleared(self, plan: Plan) -> Write:
        """Return the write that ends suspicion, part of the event's own transaction."""
        return Write(self._key(plan), "0", ANY_ETAG, _CLEARED_TTL)

    def run(self, plan: Plan, probation: bool, react: Callable[[], Ran]) -> Ran | Quarantined:
        """Run one event's reactions, its attempts inside this one delivery. What they raised is described, not raised."""
        deaths = self._deaths.get(plan.identity, 0) if probation else 0
        raw = plan.delivery.raw
        if deaths >= self._limits.suspect_attempts:
            reason = f"The process died {deaths} times while this event was run, the last time alone."
            return Quarantined(reason, deaths, "", raw)
        for attempt in range(1, self._limits.reaction_attempts + 1):
            try:
                if deaths:
                    with self._guard(self._limits.alone_seconds):
                        return react()
                return react()
            except (InvalidEventError, UnsayableEventError) as error:
                return failed(error, attempt, raw)
            except Exception as error:
                if attempt == self._limits.reaction_attempts or isinstance(error, TimeoutError):
                    return failed(error, attempt, raw)
        raise AssertionError("unreachable: the last attempt returns")
