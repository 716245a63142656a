"""The pipeline: deliveries are settled, then their outcomes are released, and only then each has its fate."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from choreography.engine.deciding import Settled
from choreography.engine.delivery import Delivery
from choreography.engine.fate import Fate
from choreography.engine.memory import Published
from choreography.engine.operations import Limits
from choreography.engine.releasing import nudged_deadlines, release
from choreography.runtime.driver import Driver
from choreography.runtime.group_commit import GroupCommit
from choreography.telemetry import named
from choreography.tracing.traceparent import of_all

log = structlog.get_logger()


class Pipeline:
    """Takes deliveries of one service from their arrival to their fate."""

    def __init__(self, commits: GroupCommit, driver: Driver, limits: Limits, published: Published) -> None:
        self._commits, self._driver = commits, driver
        self._limits, self._published = limits, published

    @property
    def failed(self) -> BaseException | None:
        """Why no delivery can be settled any more, if that is so."""
        return self._commits.failed

    async def submit(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Settle deliveries and release their outcomes. Return for each whether it may be acknowledged."""
        return [fate.done for fate in await self.account(deliveries)]

    async def account(self, deliveries: Sequence[Delivery]) -> list[Fate]:
        """Settle deliveries and release their outcomes. Return the fate of each."""
        if not deliveries:
            return []
        settled = await self._commits.settle(deliveries)
        done = await self.release(settled)
        # A nudge also asks for the events that a deadline caused once it had fired.
        fired = nudged_deadlines(settled, datetime.now(UTC))
        if fired and not all(await self.submit(fired)):
            return [Fate.AGAIN] * len(settled)
        return [one.fate if ended else Fate.AGAIN for one, ended in zip(settled, done, strict=True)]

    async def release(self, settled: Sequence[Settled]) -> list[bool]:
        """Publish, schedule and carry out the settled outcomes. Return for each whether all of that is done."""
        trace, chatty = of_all(one.delivery.traceparent for one in settled), log.is_enabled_for(logging.DEBUG)
        done: list[bool] = await self._driver.drive(release(settled, self._limits, self._published), trace)
        for one in settled:
            if one.outcome and one.outcome.quarantined and not one.repeated:
                log.warning("quarantined", reason=one.outcome.quarantined.reason, **named(one.delivery))
            elif one.outcome and chatty:
                log.debug("settled", repeated=one.repeated, events=len(one.outcome.events), **named(one.delivery))
        return done
