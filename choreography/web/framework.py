"""What FastAPI serves, with what it lacks: HEAD wherever GET is, every method in a 405, and JSON for every failure."""

from __future__ import annotations

from typing import Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MISTAKE: Final = {"detail": "This service made a mistake over the request. Its log says more."}

log = structlog.get_logger()


class Framework:
    """The web framework's part of an app."""

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
            # The framework has answered, and hands the error on for somebody to write it down.
            log.exception("a request failed", method=scope["method"], path=scope["path"])
            if not answer.begun:
                await JSONResponse(_MISTAKE, 500)(scope, receive, answer)


class _Answer:
    """Passes an answer on: whole, or without its body for a HEAD."""

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
    """Name every method of a path; the framework names those of the first route that has it."""
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
