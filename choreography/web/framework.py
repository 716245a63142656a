"""FastAPI, with additions: HEAD wherever GET is, every method in a 405, and JSON for every failure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import structlog
from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from choreography.service import Service
from choreography.settings import Settings
from choreography.tracing.opentelemetry import set_up
from choreography.tracing.recorder import Recorder
from choreography.web.openapi import describe_bodies
from choreography.web.routes import excluded

_MISTAKE: Final = {"detail": "This service made a mistake over the request. Its log says more."}

log = structlog.get_logger()


def framework_app(
    service: Service,
    settings: Settings,
    recorder: Recorder | None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
) -> FastAPI:
    """Return the FastAPI app of a service, traced if there is a recorder."""
    # Its pages load nothing from other hosts, so they work in a browser without access to the internet.
    app: FastAPI = FastAPIOffline(title=service.name, description=_about(service), lifespan=lifespan)
    # An application's own Dapr subscriptions can stand beside the reactions: app.state.dapr.subscribe(...).
    app.state.dapr = DaprApp(app)
    describe_bodies(app, service)
    if recorder:
        set_up(service.name, recorder, settings.sampling)
        ours = {
            *(command.path for command in service.commands),
            *(view.path for view in service.views),
            *(view.path for view in service.lists),
        }
        FastAPIInstrumentor.instrument_app(app, excluded_urls=excluded(ours), exclude_spans=["receive", "send"])
    return app


def _about(service: Service) -> str:
    topics = ", ".join(f"`{topic}`" for topic in service.topics)
    said = f"Publishes to the topics {topics}. " if topics else ""
    return f"{said}Commands are answered 202 and take effect as events."


class Framework:
    """The part of an app that the web framework serves."""

    def __init__(self, app: FastAPI) -> None:
        self._app: ASGIApp = app
        app.add_exception_handler(405, _not_allowed)
        app.add_exception_handler(Exception, _mistake)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, whole=scope["method"] != "HEAD")
        try:
            await self._app(scope if answer.whole else {**scope, "method": "GET"}, receive, answer)
        except Exception:
            # The framework has answered, and passes the error on to be logged.
            log.exception("a request failed", method=scope["method"], path=scope["path"])
            if not answer.begun:
                await JSONResponse(_MISTAKE, 500)(scope, receive, answer)


class _Answer:
    """Passes an answer on: as a whole, or without its body for a HEAD."""

    def __init__(self, send: Send, *, whole: bool) -> None:
        self._send, self.whole, self.begun = send, whole, False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        if message["type"] == "http.response.body" and not self.whole:
            message = {**message, "body": b""}
        await self._send(message)


async def _mistake(_request: Request, _error: Exception) -> Response:
    return JSONResponse(_MISTAKE, 500)


async def _not_allowed(request: Request, _error: Exception) -> Response:
    """Name every method of a path; the framework names only those of the first matching route."""
    allowed = _methods_at(request)
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=allowed)
    return JSONResponse(
        {"detail": f"{request.method} is not possible here; use {allowed['Allow']}."}, 405, headers=allowed
    )


def _methods_at(request: Request) -> dict[str, str]:
    methods = {"OPTIONS"}
    for route in request.app.router.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    if "GET" in methods:
        methods.add("HEAD")
    return {"Allow": ", ".join(sorted(methods))}
