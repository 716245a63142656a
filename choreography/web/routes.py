"""Routes of commands: documented as any other, but called with the request alone.

Half of what a request cost was finding out that a command needs one header and its path, and another fifth of it the
general instrumentation: it looks for the route a second time. Both are written down here once, when the route is made.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from opentelemetry.trace import StatusCode

from choreography.declaration import Command
from choreography.telemetry import Spans


class CommandRoute(APIRoute):
    """Calls its endpoint with the request, its Idempotency-Key and its path. Only the docs need the signature."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return what is called for each request."""
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            response: Response = await endpoint(
                request=request, idempotency_key=request.headers.get("idempotency-key"), **request.path_params
            )
            return response

        return handle


def traced(endpoint: Callable[..., Awaitable[Response]], command: Command, spans: Spans) -> Callable[..., Any]:
    """Return an endpoint each of whose calls is a span named for its route."""

    async def serve(request: Request, idempotency_key: str | None = None, **path: str) -> Response:
        with spans.serving(command.method, command.path, request.headers.get("traceparent", "")) as span:
            response = await endpoint(request=request, idempotency_key=idempotency_key, **path)
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 500:
                span.set_status(StatusCode.ERROR)
            return response

    return serve if spans.on else endpoint


def excluded(commands: Iterable[Command]) -> str:
    """Return the URLs that the general instrumentation leaves alone, as its list of patterns."""
    ours = (re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(command.path)) for command in commands)
    return ",".join(["healthz", "readyz", "metrics", *(f"^[a-z]+://[^/]+{path}$" for path in ours)])
