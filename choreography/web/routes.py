"""Routes of commands and views: documented like any other, with spans of their own; commands are called directly.

Through the framework, half of the cost of a request was to find out that a command needs one header and its path, a
fifth was the general instrumentation, which looks for the route a second time, and a quarter was the middleware in
between.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from choreography.tracing.spans import Spans


class CommandRoute(APIRoute):
    """Calls its endpoint with the request and its path. Only the API documentation needs the signature."""

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Serve a request without the web framework; return False, having done nothing, if it is for another route."""
        match, found = self.matches(scope)
        if match is not Match.FULL:
            return False
        request = Request({**scope, **found}, receive)
        response = await self.endpoint(request=request, **request.path_params)
        await response(request.scope, receive, send)
        return True


def traced(
    endpoint: Callable[..., Awaitable[Response]],
    method: str,
    route: str,
    spans: Spans,
    takes: Iterable[inspect.Parameter] = (),
) -> Callable[..., Any]:
    """Return an endpoint each of whose calls is a span named for its route.

    Args:
        endpoint: a function of the request and of further arguments by name.
        method: the method of the requests that it serves.
        route: their path, with its parameters in braces.
        spans: the spans of the service.
        takes: the further arguments, as the web framework reads and documents them.
    """

    async def serve(request: Request, **arguments: str) -> Response:
        with spans.serving(method, route, request.headers.get("traceparent", "")) as span:
            try:
                response = await endpoint(request=request, **arguments)
            except HTTPException as refused:
                span.status = refused.status_code
                raise
            span.status = response.status_code
            return response

    served: Any = serve if spans.on else endpoint
    # The framework reads the signature. Without this one it would ask for the wrapper's own arguments.
    first = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    served.__signature__ = inspect.Signature([first, *takes])
    return served  # type: ignore[no-any-return]


def excluded(paths: Iterable[str]) -> str:
    """Return the URLs that the general instrumentation must ignore, in its form of a list of patterns.

    Args:
        paths: the paths of commands and views, with their parameters in braces. Their routes make spans of their own.
    """
    ours = (re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)) for path in sorted(paths))
    return ",".join(["healthz", "readyz", "metrics", *(f"^[a-z]+://[^/]+{path}$" for path in ours)])
