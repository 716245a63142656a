"""Lists: many entities of one kind, page by page, each in the form of its view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, create_model

from choreography.contracts import Entity
from choreography.engine.operations import Unknown
from choreography.engine.records import EntityRecord
from choreography.listing import LARGEST_PAGE, USUAL_PAGE, AskedWronglyError, ListRequest, ListView, PagePlace, ask
from choreography.stores.listed import Row
from choreography.stores.port import Store
from choreography.tracing.spans import Spans, current_traceparent
from choreography.web.routes import traced

_OFF: Final = (
    "Lists are not served here, because the state store of this service finds records by their keys alone "
    "(CHOREOGRAPHY_LISTS=off). Ask for one by its id."
)
_SILENT: Final = "The database did not answer, or not in time; ask again."
_DETAIL: Final[Mapping[str, Any]] = {
    "application/json": {"schema": {"type": "object", "properties": {"detail": {"type": "string"}}}}
}
_NEXT: Final = "The cursor of the next page, to be sent as `after` with the same filters; null on the last page."

log = structlog.get_logger()


class Lists:
    """Adds a service's lists to its web app."""

    def __init__(self, views: list[ListView], store: Store, spans: Spans, *, served: bool) -> None:
        self._views, self._store, self._spans, self._served = views, store, spans, served

    def add_to(self, app: FastAPI) -> None:
        """Add the routes, with everything that the OpenAPI page needs."""
        for view in self._views:
            app.add_api_route(
                view.path,
                self._endpoint(view),
                methods=["GET"],
                name=f"list_{view.entity.kind}",
                summary=f"List every {view.entity.__name__}, {'newest' if view.newest_first else 'oldest'} first",
                response_model=None,
                responses=_responses(view.entity),
                openapi_extra={"parameters": _parameters(view)},
            )

    def _endpoint(self, view: ListView) -> Any:
        async def endpoint(request: Request) -> Response:
            if not self._served:
                return JSONResponse({"detail": _OFF}, 501)
            query: bytes = request.scope["query_string"]
            try:
                asked = ask(view, query)
            except AskedWronglyError as refused:
                return JSONResponse({"detail": str(refused)}, 422)
            rows = await self._store.page(asked, current_traceparent())
            if isinstance(rows, Unknown):
                return JSONResponse({"detail": _SILENT}, 503, {"Retry-After": "1"})
            return _page(asked, rows, query)

        return traced(endpoint, "GET", view.path, self._spans)


def _page(asked: ListRequest, rows: Any, query: bytes) -> Response:
    shown: list[Row] = list(rows[: asked.limit])
    items = [EntityRecord.decode(row.record).state for row in shown]
    headers, following = {}, None
    if len(rows) > asked.limit:
        following = asked.cursor(PagePlace(shown[-1].born, shown[-1].logical_id))
        kept = [(name, text) for name, text in parse_qsl(query.decode(), keep_blank_values=True) if name != "after"]
        # A relative reference with its full path works for a client behind another host or prefix.
        headers["Link"] = f'<{asked.view.path}?{urlencode([*kept, ("after", following)])}>; rel="next"'
    return Response(orjson.dumps({"items": items, "next": following}), media_type="application/json", headers=headers)


def _parameters(view: ListView) -> list[dict[str, Any]]:
    made = [_parameter(one.name, one.schema(), f"Only those with this {one.name}.") for one in view.filters.values()]
    optional = [one.name for one in view.filters.values() if one.optional]
    if optional:
        schema = {"type": "array", "items": {"enum": optional, "type": "string"}, "uniqueItems": True}
        made.append(_parameter("null", schema, "Only those in which these fields are null."))
    size = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": USUAL_PAGE}
    made.append(_parameter("limit", size, "How many at most."))
    made.append(_parameter("after", {"type": "string"}, "The cursor that the page before gave as `next`."))
    return made


def _parameter(name: str, schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": dict(schema), "description": description}


def _responses(entity: type[Entity]) -> dict[int | str, dict[str, Any]]:
    page: type[BaseModel] = create_model(
        f"{entity.__name__}Page",
        items=(list[entity], Field(description="As the view of one shows it.")),  # type: ignore[valid-type]
        next=(str | None, Field(description=_NEXT)),
    )
    link = {"description": 'The next page, `rel="next"`, if there is one.', "schema": {"type": "string"}}
    return {
        200: {"model": page, "description": "A page.", "headers": {"Link": link}},
        422: {
            "description": "A parameter is not declared, or has a value that the field cannot have; or the cursor "
            "belongs to another list or to other filters.",
            "content": _DETAIL,
        },
        501: {"description": _OFF, "content": _DETAIL},
        503: {"description": _SILENT, "content": _DETAIL},
    }
