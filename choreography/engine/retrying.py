"""Where a reaction is retried: its attempts at one event, all of them inside one delivery of that event.

An exception of a reaction affects only its event: after a few failed attempts the event is quarantined. A conflict in
the store, or a store in trouble, does not count as an attempt: then :mod:`settling` reads and runs anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from choreography.engine.operations import Limits
from choreography.engine.plan import Plan
from choreography.engine.quarantine import failed
from choreography.engine.reacting import Ran
from choreography.engine.records import Quarantined
from choreography.engine.suspects import Suspects
from choreography.errors import InvalidEventError, UnsayableEventError

TimeLimit = Callable[[float], AbstractContextManager[None]]
"""Raises TimeoutError inside its block when the block has run for so many seconds."""


class Retrying:
    """Runs the reactions to one event until they end without an exception, or have failed often enough.

    Args:
        limits: how often a reaction is tried, and how long a suspect may run.
        suspects: which events the process has died on.
        time_limit: ends the run of a suspect. Other events run without a limit, as it costs more than their run.
    """

    def __init__(self, limits: Limits, suspects: Suspects, time_limit: TimeLimit) -> None:
        self._limits, self._suspects, self._time_limit = limits, suspects, time_limit

    def run(self, plan: Plan, react: Callable[[], Ran]) -> Ran | Quarantined:
        """Run the reactions to one event; return their decisions, or why the event is quarantined.

        Args:
            plan: the event.
            react: a function that runs its reactions once, on the records as they were read.
        """
        deaths, raw = self._suspects.deaths(plan), plan.delivery.raw
        if deaths >= self._limits.suspect_attempts:
            reason = f"The process died {deaths} times while this event was run, the last time alone."
            return Quarantined(reason, deaths, "", raw)
        for attempt in range(1, self._limits.reaction_attempts + 1):
            try:
                if not deaths:
                    return react()
                with self._time_limit(self._limits.alone_seconds):
                    return react()
            except (InvalidEventError, UnsayableEventError, TimeoutError) as error:
                # Another attempt would end the same way.
                return failed(error, attempt, raw)
            except Exception as error:  # noqa: BLE001 - an exception of a reaction fails only its event
                last = failed(error, attempt, raw)
        return last
