"""The life of a service: it checks its dependencies, opens its intake, and at the end stops its parts in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from choreography.runtime.composition import Runtime
from choreography.runtime.polling_publisher import Claims, PollingPublisher
from choreography.runtime.replaying import Replaying
from choreography.runtime.self_check import SelfCheck
from choreography.service import Service
from choreography.settings import Settings
from choreography.sidecar import confirms
from choreography.stores.cleaning import Cleaner

log = structlog.get_logger()


class Lifetime:
    """Begins and ends the work of the parts of one service.

    Args:
        service: the service to run.
        settings: the settings of the service.
        runtime: the parts of the service.
        refuse: called with one sentence when the service must not run.
    """

    def __init__(self, service: Service, settings: Settings, runtime: Runtime, refuse: Callable[[str], None]) -> None:
        self._service, self._settings, self._runtime, self._refuse = service, settings, runtime, refuse
        self._checked = False

    @property
    def ready(self) -> bool:
        """Whether the self-check has passed."""
        return self._checked

    @property
    def failed(self) -> BaseException | None:
        """Why no delivery can be settled any more, if that is so."""
        return self._runtime.commits.failed

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run for as long as the block lasts."""
        runtime = self._runtime
        replaying = Replaying(self._service, runtime.driver, runtime.pipeline, runtime.effects, runtime.limits)
        tasks = [
            asyncio.create_task(self._check()),
            asyncio.create_task(self._replay(replaying)),
            asyncio.create_task(self._end_if_broken()),
            asyncio.create_task(runtime.clocks.forever()),
            asyncio.create_task(self._publish_for_applications()),
            asyncio.create_task(Cleaner(runtime.store, runtime.metrics).forever()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runtime.commits.close()
            await runtime.publishing.close()
            await runtime.commits.end_tidily()
            await runtime.effects.close()
            await runtime.store.close()
            await runtime.sidecar.close()

    async def _check(self) -> None:
        runtime = self._runtime
        check = SelfCheck(self._service, runtime.sidecar, runtime.store, runtime.canaries)
        try:
            if self._settings.self_check:
                await check.of_store()
                await runtime.clocks.check()
            await runtime.commits.begin()
            if not await confirms.are_sure(runtime.sidecar):
                # Events confirmed by the sidecar may not have reached the broker, so a repeat publishes them again.
                runtime.published.distrust()
            runtime.intake.open.set()
            if self._settings.self_check:
                await check.of_broker()
        except Exception as error:  # noqa: BLE001 - on any error the service must not run, and must say why
            self._refuse(f"{self._service.name} refuses to start. {error}")
            return
        self._checked = True
        log.info("ready", hears=sorted(self._service.subjects))
        if not self._settings.intake_open:
            log.warning("the intake is closed: commands are refused and deadlines wait until CHOREOGRAPHY_INTAKE=open")

    async def _replay(self, replaying: Replaying) -> None:
        """Replay the events that wait for this release, once the store is known to be safe."""
        await self._runtime.intake.open.wait()
        # The events of a replay would go to a broker that is about to be left.
        if self._settings.intake_open:
            await replaying.forever()

    async def _publish_for_applications(self) -> None:
        """Publish the events that the application of this service has committed."""
        await self._runtime.intake.open.wait()
        store = self._runtime.store
        if self._service.outbox and self._settings.intake_open and isinstance(store, Claims):
            await PollingPublisher(self._service, store, self._runtime.driver, self._runtime.limits).forever()

    async def _end_if_broken(self) -> None:
        await self._runtime.commits.broken.wait()
        self._refuse(
            f"{self._service.name} ends: its engine failed over an event. Its log says which; a restart sets it apart."
        )
