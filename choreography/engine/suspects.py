"""Finding the event that kills the process.

If a replica finds its own record still saying "running", its last life died during its work. It then goes on probation:
before each batch it leaves a durable mark naming the events it is about to run. An event that is named by the mark of
an ended life is a suspect: it is run alone under a time limit, and after too many deaths it is quarantined without a
run. A replica that ended tidily skips all of this.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final

import orjson

from choreography.engine.identity import Key
from choreography.engine.operations import (
    ANY_ETAG,
    Commit,
    Committed,
    Confirm,
    Operation,
    OperationResult,
    Stored,
    Write,
)
from choreography.engine.plan import Plan

_MOST_NAMED: Final = 2000


class UnmarkedError(Exception):
    """The store did not take the mark, so nothing may be run yet."""


class Suspects:
    """The knowledge of one replica about its earlier lives, and the rules that follow from it."""

    def __init__(self, service: str, replica: str) -> None:
        self._key = Key(service, "replica", replica)
        self._deaths: dict[str, int] = {}
        self.on_probation = False

    def begin(self) -> Generator[Operation, OperationResult, bool]:
        """Read how the last life of this replica ended, and begin the next. False if the store gave no answer."""
        stored = yield Confirm(self._key)
        if stored is not None and not isinstance(stored, Stored):
            return False
        last: dict[str, Any] = _last_life(stored.value) if stored else {"life": "ended"}
        self.on_probation = last.get("life") != "ended"
        self._deaths = dict(last.get("deaths", {}))
        for identity in last.get("named", ()):
            self._deaths[identity] = self._deaths.get(identity, 0) + 1
        return isinstance((yield self._mark("running", ())), Committed)

    def acquit(self) -> Generator[Operation, OperationResult, None]:
        """End the probation: the event that killed the last life would have killed this one by now."""
        deaths, self._deaths = self._deaths, {}
        if isinstance((yield self._mark("running", ())), Committed):
            self.on_probation = False
        else:
            self._deaths = deaths

    def end(self) -> Generator[Operation, OperationResult, None]:
        """Record that this life ended tidily."""
        yield self._mark("ended", ())

    def mark(self, plans: Sequence[Plan]) -> Generator[Operation, OperationResult, list[Plan]]:
        """Name the events of a batch before they are run. Return the suspects among them, if they must run alone."""
        if not self.on_probation:
            return []
        suspects = [plan for plan in plans if plan.identity in self._deaths and _may_run(plan)]
        if suspects and len(plans) > 1:
            return suspects
        # Count each event once: an event that came twice in a batch has not killed two processes.
        named = list(dict.fromkeys(plan.identity for plan in plans if _may_run(plan)))
        if not isinstance((yield self._mark("running", named[:_MOST_NAMED])), Committed):
            raise UnmarkedError
        return []

    def _mark(self, life: str, named: Sequence[str]) -> Commit:
        value = orjson.dumps({"life": life, "named": named, "deaths": self._deaths}).decode()
        return Commit((Write(self._key, value, ANY_ETAG),))

    def deaths(self, plan: Plan) -> int:
        """Return how often the process has died while this event was run."""
        return self._deaths.get(plan.identity, 0)

    def survived(self, plan: Plan) -> None:
        """Clear an event: it was settled without a death, so it is no suspect any more."""
        if _may_run(plan):
            self._deaths.pop(plan.identity, None)


def _may_run(plan: Plan) -> bool:
    return not plan.problem and plan.delivery.purpose != "nudge"


def _last_life(text: str) -> dict[str, Any]:
    """Read how a life ended. An unreadable record did not end tidily."""
    try:
        last = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return last if isinstance(last, dict) else {}
