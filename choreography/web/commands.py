"""Commands and views: the requests that people and other programs send to a service, and the states that it shows."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

import orjson
import structlog
from fastapi import FastAPI, Header, HTTPException, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from choreography.contracts import Entity
from choreography.declaration import Command, View
from choreography.engine.commanding import Accepted, Commanding
from choreography.engine.identity import Key
from choreography.engine.operations import Stored
from choreography.engine.records import EntityRecord
from choreography.errors import UnsayableEventError, WeakKeyError
from choreography.fields import as_key
from choreography.service import Service
from choreography.stores.port import Store
from choreography.telemetry import Metrics
from choreography.tracing.spans import Spans, current_traceparent, traceparent_beginning
from choreography.web.admission import (
    LARGEST_BODY,
    RefusedError,
    caller_of,
    fields_of,
    key_of,
    read_body,
    require_json,
    require_plain_path,
    require_segment,
)
from choreography.web.command_lane import CommandLane
from choreography.web.looking_after import LookingAfter
from choreography.web.routes import CommandRoute, traced

_UNKNOWN: Final = (
    "It is unknown whether this was accepted: broker, store or scheduler did not answer. "
    "Send the same request again with the Idempotency-Key of this answer; it will not be done twice."
)
_CLOSED: Final = (
    "The intake of this service is closed, because what is under way must end before its flow is changed or moved. "
    "Nothing was done about this request now. Send it again later, with the Idempotency-Key of this answer."
)
_OPENS_IN: Final = "15"
"""Seconds. It is unknown when the intake opens; after this pause the retries of waiting clients add little load."""
_MISTAKE: Final = (
    "This service made a mistake over the request, and nothing was accepted. Its log says more. "
    "Sending the request again does not help before the service is mended."
)
_MISTAKE_LATER: Final = (
    "This service made a mistake while it accepted the request, so it is unknown whether it was accepted. Its log says "
    "more. Send the same request again with the Idempotency-Key of this answer; it will not be done twice."
)
_SILENT: Final = "The store did not answer; ask again."
_REFUSALS: Final[Mapping[int | str, dict[str, Any]]] = {
    400: {"description": "Two different Idempotency-Keys, two callers, or a client that left."},
    408: {"description": "The request did not come to its end in time."},
    413: {"description": f"The body has more than {LARGEST_BODY} bytes."},
    415: {"description": "The body is no JSON in UTF-8, or it is compressed."},
    422: {
        "description": "The request is invalid, an id in it cannot be part of a URL, its Idempotency-Key belongs to "
        "another body, or is too weak for a caller without a name."
    },
    431: {"description": "The header of the request is too large."},
    500: {"description": "The service made a mistake. `detail` says whether the request was accepted."},
    503: {"description": f"{_UNKNOWN} Or: {_CLOSED}"},
}

log = structlog.get_logger()


class Commands:
    """Adds a service's commands and views to its web app."""

    def __init__(
        self,
        service: Service,
        commanding: Commanding,
        lane: CommandLane,
        looking_after: LookingAfter,
        store: Store,
        *,
        metrics: Metrics,
        spans: Spans,
        caller_header: str,
        intake_open: bool = True,
    ) -> None:
        self._service, self._commanding, self._store, self._metrics = service, commanding, store, metrics
        self._spans, self._lane, self._looking_after = spans, lane, looking_after
        self._asking: dict[str, str] = {}
        self._caller_header, self._intake_open = caller_header, intake_open

    def add_to(self, app: FastAPI) -> None:
        """Add the routes, with everything that the OpenAPI page needs."""
        for command in self._service.commands:
            app.router.add_api_route(
                command.path,
                self._endpoint(command),
                route_class_override=CommandRoute,
                methods=[command.method],
                status_code=202,
                name=command.name,
                summary=_first_line(command.function),
                responses={
                    202: {"description": "Accepted. `Location` shows where to follow it."},
                    **_REFUSALS,
                    **({404: {"description": f"There is no such {command.of.kind}."}} if command.of else {}),
                },
            )
        for view in self._service.views:
            app.add_api_route(
                view.path,
                self._view_endpoint(view),
                methods=["GET"],
                name=f"show_{view.entity.kind}",
                summary=_first_line(view.entity),
                responses={
                    200: {"model": view.entity},
                    202: {"description": "Accepted; not settled yet."},
                    404: {"description": f"There is no such {view.entity.kind}."},
                    503: {"description": _SILENT},
                },
            )

    def _endpoint(self, command: Command) -> Callable[..., Awaitable[Response]]:
        adapters = {name: TypeAdapter(hint) for name, hint in command.path_parameters.items()}
        field = command.event.subject_field
        location = next((view.path for view in self._service.views if f"{{{field}}}" in view.path), "")
        in_a_path = bool(location) or any(f"{{{field}}}" in other.path for other in self._service.commands)

        async def endpoint(request: Request, **path: str) -> Response:
            headers: dict[str, str] = {}
            mistake = _MISTAKE
            try:
                fields = fields_of(request.scope)
                # On every answer, also on refusals: a client without a key of its own must be able to retry with this
                # one.
                headers["Idempotency-Key"] = key = key_of(fields)
                self._require_open()
                require_plain_path(request.scope)
                require_json(fields)
                arguments = {name: adapter.validate_python(path[name]) for name, adapter in adapters.items()}
                if command.body:
                    raw = await read_body(fields, request.receive) or b"{}"
                    arguments[command.body[0]] = command.body[1].model_validate_json(raw, strict=True)
                route = f"{command.method} {request.scope['path']}"
                event_id = self._commanding.event_id(caller_of(fields, self._caller_header), route, key)
                accepted = await self._accepted(command, event_id, arguments)
                if in_a_path:
                    require_segment(accepted.envelope.subject, field)
                mistake = _MISTAKE_LATER
                return await self._answer(accepted, headers, field, location)
            except ValidationError as error:
                detail = error.errors(include_url=False, include_input=False, include_context=False)
                return JSONResponse({"detail": detail}, 422, headers)
            except RefusedError as refused:
                return JSONResponse({"detail": str(refused)}, refused.status, headers | refused.headers)
            except (UnsayableEventError, WeakKeyError) as refused:
                return JSONResponse({"detail": str(refused)}, 422, headers)
            except HTTPException as unanswered:
                headers |= unanswered.headers or {}
                return JSONResponse({"detail": unanswered.detail}, unanswered.status_code, headers)
            except Exception:
                log.exception("a command failed", command=command.name, idempotency_key=headers.get("Idempotency-Key"))
                return JSONResponse({"detail": mistake}, 500, headers)

        parameters = [
            inspect.Parameter(
                "idempotency_key",
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[
                    str | None,
                    Header(
                        alias="Idempotency-Key", description="Makes a retry the same command. One is made if absent."
                    ),
                ],
            ),
            *(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[str, Path()])
                for name in command.path_parameters
            ),
        ]
        served = traced(endpoint, command.method, command.path, self._spans, parameters)
        served.__doc__ = command.function.__doc__
        return served

    def _require_open(self) -> None:
        if not self._intake_open:
            # A kept connection would lead every retry to this replica, although other replicas are open by then.
            raise RefusedError(503, _CLOSED, {"Retry-After": _OPENS_IN, "Connection": "close"})

    async def _accepted(self, command: Command, event_id: str, arguments: Mapping[str, Any]) -> Accepted:
        key = as_key(arguments[command.of.key_field]) if command.of else ""
        if command.of and not await self._exists(command.of, key):
            raise RefusedError(404, f"There is no {command.of.kind} {key!r}.")
        event = self._commanding.event(command, event_id, arguments)
        return self._commanding.accept(event, event_id, datetime.now(UTC), traceparent_beginning(event.subject))

    async def _answer(self, accepted: Accepted, headers: dict[str, str], field: str, location: str) -> Response:
        settled = await self._submit(accepted)
        if settled is False:
            detail = "This Idempotency-Key was used with another body. Use a new key for a new request."
            return JSONResponse({"detail": detail}, 422, headers)
        if settled is None:
            return JSONResponse({"detail": _UNKNOWN}, 503, headers | {"Retry-After": "1"})
        self._metrics.commands.inc()
        self._commanding.remember(accepted)
        subject = accepted.envelope.subject
        if location:
            # A header takes only ASCII, but an id may be any printable text.
            headers = headers | {"Location": location.replace(f"{{{field}}}", quote(subject, safe=""))}
        return JSONResponse({field: subject, "status": "accepted"}, 202, headers)

    async def _submit(self, accepted: Accepted) -> bool | None:
        """Publish, unless this replica has published, or is publishing, another body under the same key."""
        event_id, digest = accepted.envelope.id, accepted.envelope.digest
        if self._commanding.contradicts(accepted) or self._asking.setdefault(event_id, digest) != digest:
            return False
        try:
            return await self._lane.submit(accepted, current_traceparent())
        finally:
            self._asking.pop(event_id, None)

    async def _exists(self, entity: type[Entity], logical_id: str) -> bool:
        if self._commanding.just_accepted(logical_id):
            return True
        return await self._state(entity, logical_id) is not None or await self._is_accepted(entity, logical_id)

    async def _is_accepted(self, entity: type[Entity], logical_id: str) -> bool:
        """Tell whether a command about a missing entity was accepted; its event is then published again.

        If the entity was written meanwhile, its command is no longer recorded, so the store is asked again for the
        entity.
        """
        accepted = await self._looking_after.accepted(logical_id)
        if accepted is None:
            raise _unanswered()
        return (
            accepted or self._commanding.just_accepted(logical_id) or await self._state(entity, logical_id) is not None
        )

    async def _state(self, entity: type[Entity], logical_id: str) -> Mapping[str, Any] | None:
        stored = await self._store.confirm(Key(self._service.name, entity.kind, logical_id), current_traceparent())
        if stored is None:
            return None
        if not isinstance(stored, Stored):
            raise _unanswered()
        return EntityRecord.decode(stored.value).state

    def _view_endpoint(self, view: View) -> Callable[..., Awaitable[Response]]:
        key_field = view.entity.key_field

        async def endpoint(request: Request, **path: str) -> Response:
            try:
                require_plain_path(request.scope)
            except RefusedError as refused:
                return JSONResponse({"detail": str(refused)}, refused.status)
            logical_id = path[key_field]
            state = await self._state(view.entity, logical_id)
            if state is not None:
                return Response(orjson.dumps(state), media_type="application/json")
            if self._commanding.is_on_its_way(logical_id, datetime.now(UTC)) or await self._is_accepted(
                view.entity, logical_id
            ):
                return JSONResponse({key_field: logical_id, "status": "accepted"}, 202)
            return JSONResponse({"detail": f"There is no {view.entity.kind} {logical_id!r}."}, 404)

        hint = Annotated[str, Path(min_length=1, max_length=256)]
        key = inspect.Parameter(key_field, inspect.Parameter.KEYWORD_ONLY, annotation=hint)
        return traced(endpoint, "GET", view.path, self._spans, [key])


def _unanswered() -> HTTPException:
    return HTTPException(503, _SILENT, {"Retry-After": "1"})


def _first_line(documented: Any) -> str:
    return (inspect.getdoc(documented) or documented.__name__).splitlines()[0]
