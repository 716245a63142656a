"""Putting one service's web app together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from choreography.engine.accepting import Accepting
from choreography.engine.commanding import Commanding
from choreography.engine.operations import Limits
from choreography.engine.slots import PARTS
from choreography.runtime.clocks import Clocks
from choreography.runtime.deliveries import Deliveries, Receive, Scope, Send
from choreography.runtime.driver import Driver
from choreography.runtime.effects import Effects
from choreography.runtime.intake import Intake
from choreography.runtime.polling_publisher import Claims, Poster
from choreography.runtime.replaying import Replaying
from choreography.runtime.self_check import Canaries, SelfCheck
from choreography.service import Service
from choreography.settings import Settings
from choreography.sidecar import confirms
from choreography.sidecar.client import Sidecar
from choreography.stores.cleaning import Cleaner
from choreography.stores.opening import open_store
from choreography.stores.port import Store
from choreography.telemetry import Metrics
from choreography.tracing.opentelemetry import set_up
from choreography.tracing.recorder import Recorder
from choreography.tracing.spans import Spans
from choreography.web.command_lane import CommandLane
from choreography.web.commands import Commands
from choreography.web.framework import Framework
from choreography.web.lists import Lists
from choreography.web.looking_after import LookingAfter
from choreography.web.openapi import describe_bodies
from choreography.web.routes import CommandRoute, excluded

log = structlog.get_logger()


def build_app(service: Service, settings: Settings, refuse: Callable[[str], None]) -> Front:
    """Return the web app of a service.

    Args:
        service: what it is made of.
        settings: where everything is.
        refuse: called with one sentence when the service must not run.
    """
    running = _Running(service, settings, refuse)
    # Its pages load nothing from elsewhere, so they work where a browser reaches nobody else.
    app = FastAPIOffline(
        title=service.name,
        description=_about(service),
        lifespan=running.lifespan,
    )
    # Ordinary Dapr subscriptions of one's own can stand beside the reactions: app.state.dapr.subscribe(...).
    app.state.dapr = DaprApp(app)
    app.add_api_route("/healthz", running.alive, include_in_schema=False)
    app.add_api_route("/readyz", running.ready, include_in_schema=False)
    app.add_api_route("/metrics", running.measured, include_in_schema=False)
    describe_bodies(app, service)
    if running.recorder:
        set_up(service.name, running.recorder, settings.sampling)
        ours = {
            *(command.path for command in service.commands),
            *(view.path for view in service.views),
            *(view.path for view in service.lists),
        }
        FastAPIInstrumentor.instrument_app(app, excluded_urls=excluded(ours), exclude_spans=["receive", "send"])
    return Front(app, running)


def _about(service: Service) -> str:
    topics = ", ".join(f"`{topic}`" for topic in service.topics)
    said = f"Publishes to the topics {topics}. " if topics else ""
    return f"{said}Commands are answered 202 and take effect as events."


class _Running:
    """What exists only while the app runs; the routes reach it through here."""

    def __init__(self, service: Service, settings: Settings, refuse: Callable[[str], None]) -> None:
        self.service, self.settings, self.refuse = service, settings, refuse
        self.metrics = Metrics(service.name)
        self.metrics.intake.set(settings.intake_open)
        self.recorder = Recorder(service.name, settings.zipkin) if settings.zipkin else None
        self.limits = Limits()
        self.commanding = Commanding(service, self.limits)
        self.deliveries: Deliveries | None = None
        self.looking_after: LookingAfter | None = None
        self.driver: Driver | None = None
        self.command_routes: Sequence[CommandRoute] = ()
        self._checked = False

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Start the driver, check the surroundings, and stop in the right order."""
        sidecar = Sidecar(self.settings)
        store = open_store(self.service, self.settings, sidecar)
        self.limits.snapshot_reads = store.snapshot_reads
        canaries = Canaries(self.service.name, store)
        self.driver = Driver(
            self.service, sidecar, store, self.limits, metrics=self.metrics, replica=self.settings.replica
        )
        effects = Effects(self.service, self.driver, self.settings.outsides)
        self.driver.carry_out = effects
        clocks = Clocks(self.service.name, self.settings.replica, store, self.metrics, self.limits)
        spans = Spans(self.service.name, self.recorder, self.settings.sampling)
        intake = Intake(
            self.service,
            self.driver,
            sidecar,
            canaries,
            effects,
            metrics=self.metrics,
            spans=spans,
            clocks=clocks,
        )
        self.deliveries = Deliveries(
            self.service,
            intake,
            concerns=self.driver.concerns,
            names=sidecar.names,
            token=self.settings.app_token,
            intake_open=self.settings.intake_open,
        )
        accepting = Accepting(self.service, self.limits, slot_lasts=self.settings.reminder / PARTS)
        self.looking_after = LookingAfter(
            accepting,
            self.driver,
            sidecar,
            every=self.settings.reminder,
            intake_open=self.settings.intake_open,
            trusts=self.deliveries.trusts,
            set_aside=intake.take,
        )
        commands = Commands(
            self.service,
            self.commanding,
            CommandLane(accepting, self.driver, sidecar, reminder=self.settings.reminder),
            self.looking_after,
            store,
            metrics=self.metrics,
            spans=spans,
            caller_header=self.settings.caller_header,
            intake_open=self.settings.intake_open,
        )
        # Before the views of single entities, one of which may have a path that fits as well.
        Lists(self.service.lists, store, spans, served=self.settings.lists).add_to(app)
        commands.add_to(app)
        if self.service.commands:
            self.looking_after.begin()
        self.command_routes = [route for route in app.router.routes if isinstance(route, CommandRoute)]
        replaying = Replaying(self.service, self.driver, effects, self.limits)
        tasks = [
            asyncio.create_task(self._check(SelfCheck(self.service, sidecar, store, canaries), sidecar, clocks)),
            asyncio.create_task(self._replay(replaying, self.deliveries)),
            asyncio.create_task(self._end_if_broken(self.driver)),
            asyncio.create_task(clocks.forever()),
            asyncio.create_task(self._post(store, self.driver, self.deliveries)),
            asyncio.create_task(Cleaner(store, self.metrics).forever()),
        ]
        recording = asyncio.create_task(self.recorder.forever()) if self.recorder else None
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.driver.close()
            await effects.close()
            await store.close()
            await sidecar.close()
            if recording:
                recording.cancel()
                await asyncio.gather(recording, return_exceptions=True)

    async def _check(self, check: SelfCheck, sidecar: Sidecar, clocks: Clocks) -> None:
        driver, deliveries = self.driver, self.deliveries
        if driver is None or deliveries is None:
            raise RuntimeError("The check was begun before there was anything to open.")
        try:
            if self.settings.self_check:
                await check.of_store()
                await clocks.check()
            await driver.begin()
            if not await confirms.are_sure(sidecar):
                driver.distrust_confirms()
            deliveries.open.set()
            if self.settings.self_check:
                await check.of_broker()
        except Exception as error:  # noqa: BLE001 - whatever it was, the service must not run, and must say why
            self.refuse(f"{self.service.name} refuses to start. {error}")
            return
        self._checked = True
        log.info("ready", hears=sorted(self.service.subjects))
        if not self.settings.intake_open:
            log.warning("the intake is closed: commands are refused and deadlines wait until CHOREOGRAPHY_INTAKE=open")

    async def _replay(self, replaying: Replaying, deliveries: Deliveries) -> None:
        """Replay what waits for this release, once the store is known to be safe."""
        await deliveries.open.wait()
        # What a replay says would go to a broker that is about to be left.
        if self.settings.intake_open:
            await replaying.forever()

    async def _post(self, store: Store, driver: Driver, deliveries: Deliveries) -> None:
        """Publish what the application of this service has committed."""
        await deliveries.open.wait()
        if self.service.outbox and self.settings.intake_open and isinstance(store, Claims):
            await Poster(self.service, store, driver, self.limits).forever()

    async def _end_if_broken(self, driver: Driver) -> None:
        await driver.broken.wait()
        self.refuse(
            f"{self.service.name} ends: its engine failed over an event. Its log says which; a restart sets it apart."
        )

    async def alive(self) -> Response:
        """Tell the kubelet whether restarting would help."""
        broken = self.driver.failed if self.driver else None
        if broken is not None:
            return JSONResponse({"status": f"the commit lane ended: {broken!r}"}, 500)
        return JSONResponse({"status": "alive"})

    async def ready(self) -> Response:
        """Tell whether the self-check has passed."""
        if not self._checked:
            return JSONResponse({"status": "checking store and broker"}, 503)
        return JSONResponse({"status": "ready"})

    async def measured(self) -> Response:
        """Show the Prometheus metrics."""
        return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)


class Front:
    """The whole app: deliveries and commands go straight to what handles them, everything else to FastAPI.

    A framework's routing and middleware would cost more than the delivery itself.
    """

    def __init__(self, app: FastAPI, running: _Running) -> None:
        self.app, self._running = app, running
        self._framework = Framework(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        deliveries, looking_after = self._running.deliveries, self._running.looking_after
        path = scope.get("path", "")
        if deliveries is None or scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._framework(scope, receive, send)
        elif scope["method"] == "POST" and path in ("/events", "/undelivered"):
            await deliveries(scope, receive, send)
        elif scope["method"] == "POST" and looking_after is not None and looking_after.serves(path):
            await looking_after.remind(scope, receive, send)
        elif scope["method"] == "POST" and path.startswith("/job/"):
            await deliveries.due(scope, receive, send)
        elif not await self._commanded(scope, receive, send):
            await self._framework(scope, receive, send)

    async def _commanded(self, scope: Scope, receive: Receive, send: Send) -> bool:
        for route in self._running.command_routes:
            if await route.serve(scope, receive, send):
                return True
        return False
