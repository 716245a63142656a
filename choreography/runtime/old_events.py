"""Logs once how many events were too old to be run, when a burst of them has ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import structlog

from choreography.engine.delivery import Delivery

_QUIET: Final = 10.0
"""A burst ends after so many seconds without another such event."""

log = structlog.get_logger()


class OldEvents:
    """Counts a burst of too old events, such as a first subscription finds on a topic that keeps events for years."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._times: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def saw(self, delivery: Delivery) -> None:
        """Count an event that was acknowledged without a run, and wait for more."""
        if delivery.envelope is not None:
            self._counts[delivery.type] += 1
            time = f"{delivery.envelope.time:%Y-%m-%d %H:%M:%S}"
            self._times = [min([time, *self._times]), max([time, *self._times])]
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_QUIET, self.say)

    def say(self) -> None:
        """Log how many events there were, by type, and their times."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._counts:
            log.warning(
                "events were too old to be run and are acknowledged; a letter holds one of each kind",
                count=self._counts.total(),
                types=dict(self._counts.most_common(10)),
                oldest=self._times[0],
                newest=self._times[-1],
            )
            self._counts.clear()
            self._times.clear()
