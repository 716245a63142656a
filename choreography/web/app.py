"""The web app of a service: the routes of its one port, and the part of the service that serves each request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Receive, Scope, Send

from choreography.engine.accepting import Accepting
from choreography.engine.commanding import Commanding
from choreography.engine.slots import PARTS
from choreography.runtime.composition import Runtime, compose
from choreography.runtime.lifetime import Lifetime
from choreography.service import Service
from choreography.settings import Settings
from choreography.telemetry import Metrics
from choreography.tracing.recorder import Recorder
from choreography.web.command_lane import CommandLane
from choreography.web.commands import Commands
from choreography.web.framework import Framework, framework_app
from choreography.web.lists import Lists
from choreography.web.looking_after import LookingAfter
from choreography.web.routes import CommandRoute


def build_app(service: Service, settings: Settings, refuse: Callable[[str], None]) -> Front:
    """Return the web app of a service.

    Args:
        service: the service to serve.
        settings: the settings of the service.
        refuse: called with one sentence when the service must not run.
    """
    return Front(service, settings, refuse)


class ServingApp(NamedTuple):
    """The objects that serve requests while a service runs."""

    runtime: Runtime
    lifetime: Lifetime
    looking_after: LookingAfter
    command_routes: Sequence[CommandRoute]


class Front:
    """The whole app: deliveries and commands go straight to their handlers, everything else to FastAPI.

    A framework's routing and middleware would cost more than the delivery itself.
    """

    def __init__(self, service: Service, settings: Settings, refuse: Callable[[str], None]) -> None:
        self._service, self._settings, self._refuse = service, settings, refuse
        self.metrics = Metrics(service.name)
        self.metrics.intake.set(settings.intake_open)
        self._recorder = Recorder(service.name, settings.zipkin) if settings.zipkin else None
        self.app = framework_app(service, settings, self._recorder, self._lifespan)
        self.app.add_api_route("/healthz", self._alive, include_in_schema=False)
        self.app.add_api_route("/readyz", self._ready, include_in_schema=False)
        self.app.add_api_route("/metrics", self._measured, include_in_schema=False)
        self._framework = Framework(self.app)
        # A server makes its app before the event loop exists, which connections and lanes need.
        self.serving: ServingApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        serving, path = self.serving, scope.get("path", "")
        if serving is None or scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._framework(scope, receive, send)
        elif scope["method"] == "POST" and path in ("/events", "/undelivered"):
            await serving.runtime.deliveries(scope, receive, send)
        elif scope["method"] == "POST" and serving.looking_after.serves(path):
            await serving.looking_after.remind(scope, receive, send)
        elif scope["method"] == "POST" and path.startswith("/job/"):
            await serving.runtime.deliveries.due(scope, receive, send)
        elif not await _commanded(serving, scope, receive, send):
            await self._framework(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        runtime = compose(self._service, self._settings, self.metrics, self._recorder)
        lifetime = Lifetime(self._service, self._settings, runtime, self._refuse)
        self.serving = self._with_commands(app, runtime, lifetime)
        recording = asyncio.create_task(self._recorder.forever()) if self._recorder else None
        try:
            async with lifetime.running():
                yield
        finally:
            if recording:
                recording.cancel()
                await asyncio.gather(recording, return_exceptions=True)

    def _with_commands(self, app: FastAPI, runtime: Runtime, lifetime: Lifetime) -> ServingApp:
        """Add the parts for commands, views and lists to the parts for deliveries."""
        service, settings, driver, sidecar = self._service, self._settings, runtime.driver, runtime.sidecar
        accepting = Accepting(service, runtime.limits, slot_lasts=settings.reminder / PARTS)
        looking_after = LookingAfter(
            accepting,
            driver,
            sidecar,
            backlog=runtime.backlog,
            every=settings.reminder,
            intake_open=settings.intake_open,
            trusts=runtime.deliveries.trusts,
            quarantine=runtime.intake.take,
        )
        commands = Commands(
            service,
            Commanding(service, runtime.limits),
            CommandLane(accepting, driver, sidecar, reminder=settings.reminder),
            looking_after,
            runtime.store,
            metrics=self.metrics,
            spans=runtime.spans,
            caller_header=settings.caller_header,
            intake_open=settings.intake_open,
        )
        # Lists come before the views of single entities, as the path of a view may match a list as well.
        Lists(service.lists, runtime.store, runtime.spans, served=settings.lists).add_to(app)
        commands.add_to(app)
        if service.commands:
            looking_after.begin()
        routes = [route for route in app.router.routes if isinstance(route, CommandRoute)]
        return ServingApp(runtime, lifetime, looking_after, routes)

    async def _alive(self) -> Response:
        """Tell the kubelet whether restarting would help."""
        broken = self.serving.lifetime.failed if self.serving else None
        if broken is not None:
            return JSONResponse({"status": f"the commit lane ended: {broken!r}"}, 500)
        return JSONResponse({"status": "alive"})

    async def _ready(self) -> Response:
        """Tell whether the self-check has passed."""
        if self.serving is None or not self.serving.lifetime.ready:
            return JSONResponse({"status": "checking store and broker"}, 503)
        return JSONResponse({"status": "ready"})

    async def _measured(self) -> Response:
        """Show the Prometheus metrics."""
        return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _commanded(serving: ServingApp, scope: Scope, receive: Receive, send: Send) -> bool:
    for route in serving.command_routes:
        if await route.serve(scope, receive, send):
            return True
    return False
