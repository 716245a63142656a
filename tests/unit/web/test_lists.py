"""Lists over HTTP: allowed requests, responses, and the OpenAPI document about both."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import Field

from choreography import Decision, Entity, Event, Id, Service
from choreography.engine.identity import Key
from choreography.engine.operations import ANY_ETAG, Write
from choreography.engine.records import EntityRecord
from choreography.errors import SelfCheckError
from choreography.settings import Settings
from choreography.sidecar.client import SidecarClient
from choreography.stores.address import DatabaseAddress
from choreography.stores.migrating import WantedTables, migrate
from choreography.stores.opening import open_store
from choreography.stores.sqlite import SqliteStore
from choreography.web.app import Front, build_app


class Size(StrEnum):
    """An Enum."""

    SMALL = "small"
    LARGE = "large"


class Tree(Entity, key="tree_id"):
    """A tree."""

    tree_id: Id
    owner: Id = "nobody"
    state: Literal["young", "old"] | None = None
    size: Size = Size.SMALL
    rings: int = Field(default=0, alias="ringCount")
    felled_at: datetime | None = None


class Planted(Event, type="tree.planted.v1", subject="tree_id"):
    """A tree was planted."""

    tree_id: Id


wood = Service("wood")
wood.view("/trees/{tree_id}", Tree)
wood.view("/trees", Tree, by=("owner", "state", "size", "rings", "felled_at"), newest_first=True)
wood.view("/trees/all", Tree, by=())


@wood.on(Planted)
def keep(tree: Tree, planted: Planted) -> Decision:
    """Keep it."""
    return tree.but(owner=planted.tree_id)


class Served:
    """A running service, asked without a socket."""

    def __init__(self, front: Front) -> None:
        self.front = front

    async def get(self, target: str, method: str = "GET") -> tuple[int, dict[str, str], Any]:
        """Send one request; return the status, the headers and the body."""
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode("latin-1"),
            "headers": [],
            "scheme": "http",
            "server": ("wood", 80),
            "client": ("here", 1),
            "root_path": "",
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.front(scope, receive, send)
        headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], headers, json.loads(body) if body else None


@pytest.fixture(scope="module", params=["untraced", "traced"])
async def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Serve the wood with seven trees; the fourth was deleted from the store."""
    file: Path = tmp_path_factory.mktemp("wood") / "wood.db"
    address = DatabaseAddress.read(f"sqlite:///{file}", "wood")
    migrate(WantedTables(wood, address))
    store = SqliteStore(address, "wood", lists=wood.lists)
    for number in range(7):
        tree = Tree(tree_id=f"t{number}", owner=f"o{number % 2}", rings=number, state="old" if number < 2 else None)
        record = EntityRecord(1, tree.model_dump(mode="json") | {"later": number})
        await store.commit([Write(Key("wood", "tree", tree.tree_id), record.encode(), ANY_ETAG)])
    await store.commit([Write(Key("wood", "tree", "t3"), EntityRecord(2, None, gone=True).encode(), ANY_ETAG)])
    await store.close()
    zipkin = "http://127.0.0.1:9/api/v2/spans" if request.param == "traced" else ""
    settings = Settings(sidecar="http://127.0.0.1:9", self_check=False, database=f"sqlite:///{file}", zipkin=zipkin)
    front = build_app(wood, settings, print)
    async with front.app.router.lifespan_context(front.app):
        await asyncio.sleep(0)
        yield Served(front)


async def ids(served: Served, target: str) -> list[str]:
    """Return the ids that a page shows."""
    status, _, body = await served.get(target)
    assert status == 200, body
    return [item["tree_id"] for item in body["items"]]


async def test_a_list_shows_what_the_view_of_one_shows(served: Served) -> None:
    """It shows the same fields, also those of another release, in the declared order."""
    assert await ids(served, "/trees") == ["t6", "t5", "t4", "t2", "t1", "t0"]
    assert await ids(served, "/trees/all") == ["t0", "t1", "t2", "t4", "t5", "t6"]
    _, _, page = await served.get("/trees?limit=1")
    _, _, one = await served.get("/trees/t6")
    assert page["items"] == [one]
    assert one["ringCount"] == one["later"] == 6


async def test_filters_are_named_as_fields_are_on_the_wire(served: Served) -> None:
    """If there are several, all must hold."""
    assert await ids(served, "/trees?owner=o1&state=old") == ["t1"]
    assert await ids(served, "/trees?ringCount=4") == ["t4"]
    assert await ids(served, "/trees?null=state&owner=o0&null=felled_at&size=small") == ["t6", "t4", "t2"]
    assert await ids(served, "/trees?size=large") == []


async def test_a_client_walks_by_the_header_or_by_the_cursor_alike(served: Served) -> None:
    """Both keep the filters; the last page has neither of them."""
    for follows_header in (True, False):
        target, seen, pages = "/trees?owner=o0&limit=1", [], 0
        while target:
            status, headers, body = await served.get(target)
            assert status == 200
            seen += [item["tree_id"] for item in body["items"]]
            pages += 1
            link = headers.get("link", "")
            assert bool(link) == (body["next"] is not None)
            if not link:
                break
            assert link.endswith('>; rel="next"')
            there = urlsplit(link[1 : link.index(">")])
            assert there.path == "/trees"
            by_cursor = f"/trees?owner=o0&limit=1&after={quote(body['next'], safe='')}"
            target = f"{there.path}?{there.query}" if follows_header else by_cursor
        assert (seen, pages) == (["t6", "t4", "t2", "t0"], 4)


async def test_head_is_answered_as_get_is(served: Served) -> None:
    """Without the body."""
    status, headers, body = await served.get("/trees?limit=1", "HEAD")
    assert (status, body) == (200, None)
    assert "link" in headers


def cursor(text: str) -> str:
    """Return a text as cursors are written."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("colour=red", "no parameter 'colour'"),
        ("colour=red", "It has owner, state, size, ringCount, felled_at, limit, after, null."),
        ("rings=4", "no parameter 'rings'"),
        ("Owner=o1", "no parameter 'Owner'"),
        ("state=dead", "Input should be 'young' or 'old'"),
        ("size=", "'size' has no value"),
        ("owner=", "at least 1 character"),
        ("owner=%00", "holds a NUL"),
        ("owner=%ED%A0%80", "not in UTF-8"),
        ("owner=%ff", "not in UTF-8"),
        ("owner=\xff", "not in UTF-8"),
        ("ringCount=4.0", "must be an integer"),
        ("ringCount=%204", "must be an integer"),
        ("ringCount=9007199254740993", "less than or equal to"),
        ("ringCount=" + "9" * 5000, "'ringCount' has no value"),
        ("felled_at=2026-01-01T00:00:00", "timezone"),
        ("owner=o1&owner=o2", "'owner' is there twice"),
        ("limit=1&limit=2", "'limit' is there twice"),
        ("null=owner", "'owner', which is no filter of this list that can be null. Those are: state, felled_at."),
        ("null=later", "'later', which is no filter"),
        ("null=state&state=old", "to be null and to have a value"),
        *(
            (f"limit={limit}", "an integer from 1 to 200")
            for limit in ("0", "-1", "201", "x", "", "1e2", "%D9%A3", "9" * 99)
        ),
        *(
            (f"after={after}", "it is no cursor of a list")
            for after in (
                "",
                "x",
                "%00",
                "%C3%A4",
                "A" * 1_000_000,
                cursor("x"),
                cursor("0" * 12 + "9" * 19 + "t1"),
                cursor("0" * 31),
                cursor("0" * 12 + "-" + "1" * 18 + "t1"),
                cursor("0" * 31 + "a\x00b"),
            )
        ),
        ("after=" + cursor("0" * 31 + "t1"), "another list or to other filters"),
        ("&".join(f"p{number}=1" for number in range(200)), "more than 100 parameters"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_a_sentence(served: Served, query: str, words: str) -> None:
    """Ignoring it would show entities that were not asked for."""
    status, _, body = await served.get(f"/trees?{query}")
    assert (status, body["detail"].count(words)) == (422, 1), body
    assert len(body["detail"]) < 400


async def test_a_cursor_is_only_for_the_question_that_it_came_from(served: Served) -> None:
    """Another list or other filters are refused; the page size may change."""
    _, _, page = await served.get("/trees?owner=o0&limit=2")
    after = page["next"]
    assert await ids(served, f"/trees?owner=o0&limit=200&after={after}") == ["t2", "t0"]
    for other in ("/trees?owner=o1", "/trees?limit=2", "/trees/all?limit=2", "/trees?owner=o0&state=old"):
        status, _, body = await served.get(f"{other}{'&' if '?' in other else '?'}after={after}")
        assert (status, "another list or to other filters" in body["detail"]) == (422, True)


async def test_a_database_that_does_not_answer_is_no_empty_list(tmp_path: Path) -> None:
    """The answer is 503, and says when to retry."""
    settings = Settings(sidecar="http://127.0.0.1:9", self_check=False, database=f"sqlite:///{tmp_path}/none.db")
    front = build_app(wood, settings, print)
    async with front.app.router.lifespan_context(front.app):
        status, headers, body = await Served(front).get("/trees")
    assert (status, headers["retry-after"], "did not answer" in body["detail"]) == (503, "1", True)


async def test_the_state_store_of_a_sidecar_has_no_lists() -> None:
    """A service with lists refuses to start there, unless it is told to go without; then it says so."""
    here, without = {"DAPR_HTTP_PORT": "9", "CHOREOGRAPHY_SELF_CHECK": "off"}, {"CHOREOGRAPHY_LISTS": "off"}
    sidecar = SidecarClient(Settings.from_environment(here))
    with pytest.raises(SelfCheckError, match=r"lists Tree at /trees.*CHOREOGRAPHY_LISTS=off"):
        await open_store(wood, Settings.from_environment(here), sidecar).check()
    await open_store(wood, Settings.from_environment(here | without), sidecar).check()
    await sidecar.close()
    front = build_app(wood, Settings.from_environment(here | without), print)
    async with front.app.router.lifespan_context(front.app):
        status, _, body = await Served(front).get("/trees")
    assert (status, "CHOREOGRAPHY_LISTS=off" in body["detail"]) == (501, True)


@pytest.fixture
def document(served: Served) -> Any:
    """Return the OpenAPI document."""
    return json.loads(json.dumps(served.front.app.openapi()))


async def test_the_document_says_what_may_be_asked(document: Any) -> None:
    """It names every parameter with the type of its field, and no other."""
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    told = {one["name"]: one["schema"] for one in document["paths"]["/trees"]["get"]["parameters"]}
    assert told == {
        "owner": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": told["owner"]["pattern"]},
        "state": {"type": "string", "enum": ["young", "old"]},
        "size": {"type": "string", "enum": ["small", "large"], "description": "An Enum."},
        "ringCount": {"type": "integer", "minimum": -(2**53) + 1, "maximum": 2**53 - 1},
        "felled_at": {"type": "string", "format": "date-time"},
        "null": {"type": "array", "uniqueItems": True, "items": {"type": "string", "enum": ["state", "felled_at"]}},
        "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
        "after": {"type": "string"},
    }
    names = [one["name"] for one in document["paths"]["/trees/all"]["get"]["parameters"]]
    assert names == ["limit", "after"]


async def test_the_document_says_what_is_answered(document: Any, served: Served) -> None:
    """It describes a page, and each refusal."""
    answers = document["paths"]["/trees"]["get"]["responses"]
    assert answers.keys() == {"200", "422", "501", "503"}
    assert "Link" in answers["200"]["headers"]
    schema = answers["200"]["content"]["application/json"]["schema"]
    page = Draft202012Validator({**schema, "components": document["components"]})
    for query in ("", "?limit=1"):
        _, _, body = await served.get(f"/trees{query}")
        page.validate(body)
    assert not page.is_valid({"items": [{"tree_id": 7}], "next": None})
    for status in ("422", "501", "503"):
        assert answers[status]["content"]["application/json"]["schema"]["properties"] == {"detail": {"type": "string"}}
