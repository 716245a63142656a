"""Finding the event that kills the process.

A replica that finds its own record saying "running" has died in the middle of something. It then goes on probation:
before each batch it leaves a durable mark naming the events it is about to run. An event that is named by the mark of
a life that ended is suspect: it is run alone under a time limit, and after too many deaths it is quarantined unrun.
A replica that ended tidily pays for none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import orjson

from choreography.engine.identity import Key
from choreography.engine.operations import (
    ANY_ETAG,
    Answer,
    Commit,
    Committed,
    Confirm,
    Limits,
    Operation,
    Stored,
    Write,
)
from choreography.engine.plan import Plan
from choreography.engine.quarantine import failed
from choreography.engine.reacting import Ran
from choreography.engine.records import Quarantined
from choreography.errors import InvalidEventError, UnsayableEventError

_MOST_NAMED: Final = 2000


class UnmarkedError(Exception):
    """The store did not take the mark, so nothing may be run yet."""


class Suspects:
    """What one replica knows of its earlier lives, and what follows from it."""

    def __init__(
        self, service: str, replica: str, limits: Limits, guard: Callable[[float], AbstractContextManager[None]]
    ) -> None:
        self._key = Key(service, "replica", replica)
        self._limits, self._guard = limits, guard
        self._deaths: dict[str, int] = {}
        self.on_probation = False

    def begin(self) -> Generator[Operation, Answer, bool]:
        """Read how the last life of this replica ended, and begin the next one. False if the store did not say."""
        stored = yield Confirm(self._key)
        if stored is not None and not isinstance(stored, Stored):
            return False
        last: dict[str, Any] = _last_life(stored.value) if stored else {"life": "ended"}
        self.on_probation = last.get("life") != "ended"
        self._deaths = dict(last.get("deaths", {}))
        for identity in last.get("named", ()):
            self._deaths[identity] = self._deaths.get(identity, 0) + 1
        return isinstance((yield self._mark("running", ())), Committed)

    def acquit(self) -> Generator[Operation, Answer, None]:
        """End the probation: whatever killed the last life would have come again by now."""
        deaths, self._deaths = self._deaths, {}
        if isinstance((yield self._mark("running", ())), Committed):
            self.on_probation = False
        else:
            self._deaths = deaths

    def end(self) -> Generator[Operation, Answer, None]:
        """Say that this life ended tidily."""
        yield self._mark("ended", ())

    def mark(self, plans: Sequence[Plan]) -> Generator[Operation, Answer, list[Plan]]:
        """Name the events of a batch before they are run. Return the suspects among them, if they must be set apart."""
        if not self.on_probation:
            return []
        suspects = [plan for plan in plans if plan.identity in self._deaths and _may_run(plan)]
        if suspects and len(plans) > 1:
            return suspects
        # Each once: an event that came twice in a batch has not killed two processes.
        named = list(dict.fromkeys(plan.identity for plan in plans if _may_run(plan)))
        if not isinstance((yield self._mark("running", named[:_MOST_NAMED])), Committed):
            raise UnmarkedError
        return []

    def _mark(self, life: str, named: Sequence[str]) -> Commit:
        value = orjson.dumps({"life": life, "named": named, "deaths": self._deaths}).decode()
        return Commit((Write(self._key, value, ANY_ETAG),))

    def run(self, plan: Plan, react: Callable[[], Ran]) -> Ran | Quarantined:
        """Run one event's reactions, its attempts inside this one delivery. What they raise is told, not raised."""
        deaths, raw = self._deaths.get(plan.identity, 0), plan.delivery.raw
        if deaths >= self._limits.suspect_attempts:
            reason = f"The process died {deaths} times while this event was run, the last time alone."
            return Quarantined(reason, deaths, "", raw)
        for attempt in range(1, self._limits.reaction_attempts + 1):
            try:
                if not deaths:
                    return react()
                with self._guard(self._limits.alone_seconds):
                    return react()
            except (InvalidEventError, UnsayableEventError, TimeoutError) as error:
                return failed(error, attempt, raw)
            except Exception as error:  # noqa: BLE001 - whatever a reaction raises is its event's fate
                last = failed(error, attempt, raw)
        return last

    def survived(self, plan: Plan) -> None:
        """An event that was settled without a death is suspect no more."""
        if _may_run(plan):
            self._deaths.pop(plan.identity, None)


def _may_run(plan: Plan) -> bool:
    return not plan.problem and plan.delivery.purpose != "nudge"


def _last_life(text: str) -> dict[str, Any]:
    """Read how a life ended. What nobody can read did not end tidily."""
    try:
        last = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return last if isinstance(last, dict) else {}
