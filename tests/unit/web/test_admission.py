"""Bad, incomplete, ambiguous and failing requests each get a clear response in JSON."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import AsyncIterator

import pytest

from choreography.engine.identity import Key
from choreography.engine.operations import Stored
from choreography.web.app import Front
from tests.unit.sidecar.fake_sidecar import FakeSidecar
from tests.unit.web.shop import send, shop_app

BODY = b'{"order_id": "o1"}'
JSON = ("content-type", "application/json")
ELSEWHERE = ("origin", "https://elsewhere.example")


@pytest.fixture
async def running() -> AsyncIterator[tuple[Front, FakeSidecar]]:
    """Start the shop."""
    async with shop_app() as started:
        yield started


@pytest.fixture
def app(running: tuple[Front, FakeSidecar]) -> Front:
    """Its app."""
    return running[0]


def key(value: str = "") -> tuple[str, str]:
    """Return an Idempotency-Key, a good one unless another is given."""
    return "Idempotency-Key".lower(), value or uuid.uuid4().hex


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain;charset=UTF-8",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/xml",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/json, text/plain",
        "application/jsontext/plain",
        "json",
        "*/*",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/orders", "/orders/o1/again"])
async def test_what_says_that_it_is_no_json_is_refused(
    running: tuple[Front, FakeSidecar], content_type: str, path: str
) -> None:
    """With or without a body, from every origin: web pages may send forms and text without asking."""
    app, sidecar = running
    for body in (BODY, b""):
        answer = await send(app, "POST", path, body, [("content-type", content_type), key()])
        assert answer.status == 415
        assert "application/json" in answer.detail
        assert answer.headers["idempotency-key"]
    assert not sidecar.published


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; profile=x",
        "application/vnd.shop+json",
    ],
)
async def test_json_is_taken_however_it_is_written(app: Front, content_type: str) -> None:
    """Only a foreign charset is refused; a page of another origin may send it only if the owner agrees."""
    answer = await send(app, "POST", "/orders", BODY, [("content-type", content_type), ELSEWHERE])
    assert answer.status == 202


@pytest.mark.parametrize(("path", "body"), [("/orders", BODY), ("/orders/o1/again", b"")])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 202),
        ([("origin", "http://shop.example")], 202),
        ([("sec-fetch-site", "same-origin"), ("origin", "http://shop.example:8080")], 202),
        ([("sec-fetch-site", "none")], 202),
        ([ELSEWHERE], 415),
        ([("origin", "null")], 415),
        ([("origin", "http://shop.example:8080")], 415),
        ([("origin", "http://[")], 415),
        ([("sec-fetch-site", "cross-site")], 415),
        ([("sec-fetch-site", "same-site")], 415),
        ([("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-origin")], 415),
        ([("sec-fetch-site", "cross-site"), ("origin", "http://shop.example")], 415),
    ],
)
async def test_a_page_of_another_site_cannot_leave_the_content_type_out(
    app: Front, path: str, body: bytes, headers: list[tuple[str, str]], status: int
) -> None:
    """A browser sends such a request unasked, but names its origin; other programs name none."""
    assert (await send(app, "POST", path, body, headers)).status == status


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "identity, gzip", "unheard-of"])
async def test_a_compressed_body_is_refused(app: Front, encoding: str) -> None:
    """A few bytes could become a great many."""
    answer = await send(app, "POST", "/orders", gzip.compress(BODY), [JSON, ("content-encoding", encoding)])
    assert answer.status == 415
    assert answer.headers["accept-encoding"] == "identity"
    on_its_way = await send(app, "POST", "/orders", BODY, [JSON, ("transfer-encoding", f"{encoding}, chunked")])
    assert on_its_way.status == 415


@pytest.mark.parametrize("body", [BODY[:-1], b"[1]", b"", b"null", b'{"order_id": "\\ud800"}', b"\xff"])
async def test_json_that_is_no_request_is_still_422(app: Front, body: bytes) -> None:
    """The content type was right, but the body was not."""
    assert (await send(app, "POST", "/orders", body, [JSON])).status == 422


async def test_a_body_that_is_too_large_is_413(app: Front) -> None:
    """This holds whether or not its length is given."""
    large = b'{"order_id": "' + b"x" * 200_000 + b'"}'
    assert (await send(app, "POST", "/orders", large, [JSON])).status == 413
    declared = await send(app, "POST", "/orders", b"", [JSON, ("content-length", "200000000")])
    assert declared.status == 413
    assert "131072 bytes" in declared.detail


async def test_two_idempotency_keys_are_refused(running: tuple[Front, FakeSidecar]) -> None:
    """They may be in two fields, or joined by a proxy; the same key twice counts as one."""
    app, sidecar = running
    one, two = uuid.uuid4().hex, uuid.uuid4().hex
    for headers in ([key(one), key(two)], [key(f"{one}, {two}")], [key(f"{one},{two}")], [key(one), key(f"{one},")]):
        answer = await send(app, "POST", "/orders", BODY, [JSON, *headers])
        assert answer.status == 400
        assert "Idempotency-Key" in answer.detail
    assert not sidecar.published
    twice = await send(app, "POST", "/orders", BODY, [JSON, key(one), key(one)])
    assert (twice.status, twice.headers["idempotency-key"]) == (202, one)


@pytest.mark.parametrize("bad", ["with space", "x" * 129, "é", ""])
async def test_a_key_that_could_be_cut_or_folded_is_refused(app: Front, bad: str) -> None:
    """It would make two requests one."""
    answer = await send(app, "POST", "/orders", BODY, [JSON, ("idempotency-key", bad)])
    assert answer.status == 422
    assert "Idempotency-Key" in answer.detail


async def test_people_without_a_name_do_not_share_weak_keys(running: tuple[Front, FakeSidecar]) -> None:
    """The response says what a good key is; a caller with a name may send any key."""
    app, sidecar = running
    answer = await send(app, "POST", "/orders", BODY, [JSON, key("1")])
    assert answer.status == 422
    assert "UUID" in answer.detail
    nobody = await send(app, "POST", "/orders", BODY, [JSON, key("1"), ("x-caller", "anonymous")])
    assert nobody.status == 422
    assert not sidecar.published
    for name in ("ann", "bob"):
        named = await send(app, "POST", "/orders", BODY, [JSON, key("1"), ("x-caller", name)])
        assert named.status == 202
    assert len({event["id"] for _, event in sidecar.published}) == 2


@pytest.mark.parametrize("names", [["ann", "bob"], ["ann", "ann"], ["x" * 257], ["\u00e9"], ["a\tb"], ["a\x7f"]])
async def test_a_caller_header_that_names_nobody_in_particular_is_refused(app: Front, names: list[str]) -> None:
    """Two headers mean that the ingress adds one to the client's; then callers could pose as others."""
    answer = await send(app, "POST", "/orders", BODY, [JSON, key(), *(("x-caller", name) for name in names)])
    assert answer.status == 400
    assert "x-caller" in answer.detail


@pytest.mark.parametrize("name", ["ann", "CN=Ann B.,O=Shop", "auth0|7", "x" * 256])
async def test_a_caller_may_have_any_printable_name(app: Front, name: str) -> None:
    """Authenticating proxies write such names."""
    assert (await send(app, "POST", "/orders", BODY, [JSON, key("1"), ("x-caller", name)])).status == 202


async def test_an_empty_caller_header_names_nobody(app: Front) -> None:
    """An ingress sends it for people who did not sign in."""
    assert (await send(app, "POST", "/orders", BODY, [JSON, key("1"), ("x-caller", " ")])).status == 422
    assert (await send(app, "POST", "/orders", BODY, [JSON, key(), ("x-caller", " ")])).status == 202


async def test_the_same_key_at_two_paths_is_two_requests(running: tuple[Front, FakeSidecar]) -> None:
    """This holds also if the paths differ only behind a character that would end a URL's path."""
    app, sidecar = running
    shared = key()
    for path in ("/orders/a%3Fb/again", "/orders/a%3Fc/again", "/orders/a%23b/again", "/orders/a%23c/again"):
        assert (await send(app, "POST", path, b"", [shared])).status == 202
    assert len({event["id"] for _, event in sidecar.published}) == 4


async def test_a_client_that_left_is_no_error(
    running: tuple[Front, FakeSidecar], capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is accepted, and no alert fires."""
    app, sidecar = running
    answer = await send(app, "POST", "/orders", headers=[JSON], gone=True)
    assert answer.status == 400
    assert not sidecar.published
    assert "Traceback" not in "".join(capfd.readouterr())


async def test_a_mistake_of_a_command_is_a_500_in_json_with_its_key(
    running: tuple[Front, FakeSidecar], capfd: pytest.CaptureFixture[str]
) -> None:
    """The response says that nothing was accepted; the log has the stack trace, once."""
    app, sidecar = running
    mine = key()
    answer = await send(app, "POST", "/broken", BODY, [JSON, mine])
    assert (answer.status, answer.headers["idempotency-key"]) == (500, mine[1])
    assert "nothing was accepted" in answer.detail
    assert "author" not in answer.detail
    assert not sidecar.published
    assert "".join(capfd.readouterr()).count("KeyError: ") == 1


async def test_a_mistake_after_the_request_was_read_says_that_the_outcome_is_unknown(
    running: tuple[Front, FakeSidecar],
) -> None:
    """A record that cannot be read hides whether the request was accepted before."""
    app, sidecar = running
    sidecar.store.rows[str(Key("shop", "order", "o1"))] = Stored("not a record", "1")
    answer = await send(app, "POST", "/orders", BODY, [JSON, key()])
    assert answer.status == 500
    assert "unknown whether it was accepted" in answer.detail
    assert answer.headers["idempotency-key"]


async def test_a_mistake_of_a_view_is_a_500_in_json(
    running: tuple[Front, FakeSidecar], capfd: pytest.CaptureFixture[str]
) -> None:
    """It is logged once."""
    app, sidecar = running
    sidecar.store.rows[str(Key("shop", "order", "o1"))] = Stored("not a record", "1")
    answer = await send(app, "GET", "/orders/o1")
    assert answer.status == 500
    assert "mistake" in answer.detail
    assert "".join(capfd.readouterr()).count("\nJSONDecodeError: ") == 1


@pytest.mark.parametrize(
    "path", ["/orders/o1", "/healthz", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json", "/nothing"]
)
async def test_head_is_get_without_a_body(app: Front, path: str) -> None:
    """It has the same status and headers."""
    get, head = await send(app, "GET", path), await send(app, "HEAD", path)
    assert head.raw == b""
    assert get.raw
    assert head.status == get.status
    if path != "/metrics":
        assert head.headers == get.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/orders", "OPTIONS, POST"),
        ("GET", "/orders", "OPTIONS, POST"),
        ("DELETE", "/orders/o1", "GET, HEAD, OPTIONS"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("PATCH", "/orders/o1/again", "OPTIONS, POST"),
    ],
)
async def test_a_method_that_is_not_there_is_answered_with_those_that_are(
    app: Front, method: str, path: str, allowed: str
) -> None:
    """The answer is JSON, also to OPTIONS."""
    answer = await send(app, method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert allowed in answer.detail
    options = await send(app, "OPTIONS", path)
    assert (options.status, options.headers["allow"]) == (204, allowed)
    assert "access-control-allow-origin" not in options.headers


async def test_the_documentation_names_every_refusal(app: Front) -> None:
    """It lists them for each command."""
    told = (await send(app, "GET", "/openapi.json")).body
    for path in ("/orders", "/orders/{order_id}/again"):
        answers = told["paths"][path]["post"]["responses"]
        assert {"202", "400", "408", "413", "415", "422", "431", "500", "503"} <= answers.keys()
