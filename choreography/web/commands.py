"""Commands and views: what people and other programs send to a service, and what it shows them."""

from __future__ import annotations

import inspect
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

import orjson
from fastapi import FastAPI, Header, HTTPException, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from choreography.contracts import Entity
from choreography.declaration import Command, View
from choreography.engine.commanding import Accepted, Commanding
from choreography.engine.identity import store_key
from choreography.engine.operations import Stored
from choreography.engine.records import EntityRecord
from choreography.errors import UnsayableEventError
from choreography.service import Service
from choreography.sidecar.client import Sidecar
from choreography.sidecar.driver import Driver
from choreography.telemetry import Metrics, Spans, current_traceparent
from choreography.web.command_lane import CommandLane
from choreography.web.looking_after import LookingAfter
from choreography.web.routes import CommandRoute, traced

_LARGEST_BODY: Final = 128 * 1024
_KEY: Final = re.compile(r"^[\x21-\x7e]{1,128}$")
_UNKNOWN: Final = (
    "It is unknown whether this was accepted: the broker or the store did not answer. "
    "Send the same request again with the Idempotency-Key of this answer; it will not be done twice."
)
_CLOSED: Final = (
    "The intake of this service is closed, because what is under way must end before its flow is changed or moved. "
    "Nothing was done about this request now. Send it again later, with the Idempotency-Key of this answer."
)
_OPENS_IN: Final = "15"
"""Seconds. Nobody knows; long enough that those who wait do not keep the service busy."""


class _RefusedError(Exception):
    """A request that is answered with a refusal."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Commands:
    """Adds a service's commands and views to its web app."""

    def __init__(
        self,
        service: Service,
        commanding: Commanding,
        driver: Driver,
        sidecar: Sidecar,
        *,
        metrics: Metrics,
        spans: Spans,
        caller_header: str,
        intake_open: bool = True,
    ) -> None:
        self._service, self._commanding, self._sidecar, self._metrics = service, commanding, sidecar, metrics
        self._spans = spans
        self.looking_after: LookingAfter | None = None
        self._lane = CommandLane(commanding, driver, sidecar)
        self._asking: dict[str, str] = {}
        self._caller_header, self._intake_open = caller_header, intake_open

    def add_to(self, app: FastAPI) -> None:
        """Add the routes, with all that the OpenAPI page needs to be of use."""
        for command in self._service.commands:
            app.router.add_api_route(
                command.path,
                self._endpoint(command),
                route_class_override=CommandRoute,
                methods=[command.method],
                status_code=202,
                name=command.name,
                summary=_first_line(command.function),
                openapi_extra=_body_schema(command),
                responses={
                    202: {"description": "Accepted. `Location` shows where to follow it."},
                    422: {"description": "The request is invalid, or its Idempotency-Key belongs to another body."},
                    503: {"description": f"{_UNKNOWN} Or: {_CLOSED}"},
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
                    202: {"description": "Accepted a moment ago; not settled yet."},
                    404: {"description": f"There is no such {view.entity.kind}."},
                },
            )

    def _endpoint(self, command: Command) -> Callable[..., Awaitable[Response]]:
        adapters = {name: TypeAdapter(hint) for name, hint in command.path_parameters.items()}
        field = command.event.subject_field
        location = next((view.path for view in self._service.views if f"{{{field}}}" in view.path), "")

        async def endpoint(request: Request, idempotency_key: str | None = None, **path: str) -> Response:
            key = idempotency_key or secrets.token_hex(16)
            if not _KEY.match(key):
                return JSONResponse({"detail": "An Idempotency-Key has 1 to 128 visible ASCII characters."}, 422)
            # On every answer, refusals included: whoever has no key of its own must be able to retry with this one.
            headers = {"Idempotency-Key": key}
            if not self._intake_open:
                # A connection that is kept leads every retry to this replica, though others are open by then.
                headers |= {"Retry-After": _OPENS_IN, "Connection": "close"}
                return JSONResponse({"detail": _CLOSED}, 503, headers)
            try:
                named = {name: adapter.validate_python(path[name]) for name, adapter in adapters.items()}
                accepted = await self._accepted(command, request, key, named)
            except ValidationError as error:
                detail = error.errors(include_url=False, include_input=False, include_context=False)
                return JSONResponse({"detail": detail}, 422, headers)
            except _RefusedError as refused:
                return JSONResponse({"detail": str(refused)}, refused.status, headers)
            except HTTPException as unanswered:
                headers |= unanswered.headers or {}
                return JSONResponse({"detail": unanswered.detail}, unanswered.status_code, headers)
            return await self._answer(accepted, headers, field, location)

        parameters = [
            inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request),
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
        served = traced(endpoint, command.method, command.path, self._spans)
        served.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        served.__doc__ = command.function.__doc__
        return served

    async def _accepted(self, command: Command, request: Request, key: str, path: Mapping[str, Any]) -> Accepted:
        arguments = dict(path)
        if command.body:
            arguments[command.body[0]] = command.body[1].model_validate_json(await _read_body(request), strict=True)
        if command.of and not await self._exists(command.of, path[command.of.key_field]):
            raise _RefusedError(404, f"There is no {command.of.kind} {path[command.of.key_field]!r}.")
        caller = request.headers.get(self._caller_header, "anonymous")
        event_id = self._commanding.event_id(caller, f"{command.method} {request.url.path}", key)
        event = self._commanding.event(command, event_id, arguments)
        try:
            return self._commanding.accept(event, event_id, datetime.now(UTC), current_traceparent())
        except UnsayableEventError as error:
            raise _RefusedError(422, str(error)) from error

    async def _answer(self, accepted: Accepted, headers: dict[str, str], field: str, location: str) -> Response:
        settled = await self._submit(accepted)
        if settled is False:
            detail = "This Idempotency-Key was used with another body. Use a new key for a new request."
            return JSONResponse({"detail": detail}, 422, headers)
        if settled is None:
            return JSONResponse({"detail": _UNKNOWN}, 503, headers | {"Retry-After": "1"})
        self._metrics.commands.inc()
        self._commanding.remember(accepted)
        if self.looking_after:
            self.looking_after.add(accepted)
        subject = accepted.envelope.subject
        if location:
            # A header takes ASCII only, and an id may be anything that can be printed.
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
        record = await self._record(entity, logical_id)
        return record is not None and record.state is not None

    async def _record(self, entity: type[Entity], logical_id: str) -> EntityRecord | None:
        stored = await self._sidecar.confirm(
            store_key(self._service.name, entity.kind, logical_id), current_traceparent()
        )
        if stored is None:
            return None
        if not isinstance(stored, Stored):
            raise HTTPException(503, "The state store did not answer; ask again.", {"Retry-After": "1"})
        return EntityRecord.decode(stored.value)

    def _view_endpoint(self, view: View) -> Callable[..., Awaitable[Response]]:
        key_field = view.entity.key_field

        async def endpoint(request: Request, **path: str) -> Response:  # noqa: ARG001 - the span around it needs it
            logical_id = path[key_field]
            record = await self._record(view.entity, logical_id)
            if record is not None and record.state is not None:
                return Response(orjson.dumps(record.state), media_type="application/json")
            if self._commanding.just_accepted(logical_id):
                return JSONResponse({key_field: logical_id, "status": "accepted"}, 202)
            return JSONResponse({"detail": f"There is no {view.entity.kind} {logical_id!r}."}, 404)

        hint = Annotated[str, Path(min_length=1, max_length=256)]
        parameters = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind)
            for name, kind in {"request": Request, key_field: hint}.items()
        ]
        served = traced(endpoint, "GET", view.path, self._spans)
        served.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return served


async def _read_body(request: Request) -> bytes:
    """Read a bounded body: a little at a time, as its length may not be what it says."""
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > _LARGEST_BODY:
            raise _RefusedError(413, f"A request may have {_LARGEST_BODY} bytes.")
    return bytes(raw) or b"{}"


def _first_line(documented: Any) -> str:
    return (inspect.getdoc(documented) or documented.__name__).splitlines()[0]


def _body_schema(command: Command) -> dict[str, Any] | None:
    if command.body is None:
        return None
    reference = {"$ref": f"#/components/schemas/{command.body[1].__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}}
