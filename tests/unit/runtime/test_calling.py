"""Calls to the outside: a definite reply counts, a redirect is quarantined, a missing reply is retried."""

from __future__ import annotations

import gzip
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from choreography import ChoreographyError, Id, Intent
from choreography.engine.records import CommittedIntent
from choreography.errors import OutsideUnavailableError, WrongAddressError
from choreography.outside import LONGEST_TEXT, Reply
from choreography.runtime.calling import Call, read_address, read_reply
from choreography.web.app import build_app
from tests.unit.engine.toy import Asked, desk
from tests.unit.runtime.test_driver import event
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ask, batch, ready, until


class Tell(Intent):
    """Ask a post office to deliver a letter."""

    letter: Id


WISH = CommittedIntent("tell", "the-key", '{"letter":"l"}', "l", datetime.now(UTC), "")
HTML = "<html><body>none</body></html>"
REPLIES: Mapping[str, tuple[web.Response, Reply]] = {
    "no content": (web.Response(status=204), Reply(204, {})),
    "an empty body": (web.Response(), Reply(200, {})),
    "nothing but a line end": (web.Response(text="\r\n"), Reply(200, {})),
    "an object": (web.json_response({"a": 1}), Reply(200, {"a": 1})),
    "an object of a suffixed type": (
        web.Response(body=b'{"a": 1}', content_type="application/problem+json", status=409),
        Reply(409, {"a": 1}),
    ),
    "an object that says it is text": (web.Response(text='{"a": 1}'), Reply(200, {"a": 1})),
    "a list": (web.json_response([1]), Reply(200, {"value": [1]})),
    "a JSON number": (web.json_response(5), Reply(200, {"value": 5})),
    "JSON null": (web.json_response(None), Reply(200, {"value": None})),
    "a number that says it is text": (web.Response(text="0815"), Reply(200, {"text": "0815"})),
    "text": (web.Response(text="OK"), Reply(200, {"text": "OK"})),
    "text in Latin-1": (
        web.Response(body="für".encode("latin-1"), headers={"content-type": "text/plain; charset=iso-8859-1"}),
        Reply(200, {"text": "für"}),
    ),
    "a charset that nobody knows": (
        web.Response(body=b"OK", headers={"content-type": "text/plain; charset=klingon"}),
        Reply(200, {"text": "OK"}),
    ),
    "bytes that are no text": (web.Response(body=b"\xff\xfe", content_type="image/png"), Reply(200, {"text": "��"})),
    "a page of a gateway": (web.Response(status=404, text=HTML, content_type="text/html"), Reply(404, {"text": HTML})),
    "broken JSON": (web.Response(body=b'{"a": ', content_type="application/json"), Reply(200, {"text": '{"a": '})),
    "JSON after a byte order mark": (
        web.Response(body=b'\xef\xbb\xbf{"a": 1}', content_type="application/json"),
        Reply(200, {"a": 1}),
    ),
    "a refusal without a word": (web.Response(status=410), Reply(410, {})),
    "a compression nobody asked for": (
        web.Response(body=gzip.compress(b'{"a": 1}'), headers={"content-encoding": "gzip"}),
        Reply(200, {"a": 1}),
    ),
    "a compression that is none": (
        web.Response(body=b"OK", headers={"content-encoding": "gzip"}),
        Reply(200, {"text": "OK"}),
    ),
    "a long text": (
        web.Response(text="x" * 100_000, status=400),
        Reply(400, {"text": "x" * LONGEST_TEXT, "cut": True}),
    ),
    "more than may be read": (
        web.json_response({"a": "x" * 3_000_000}),
        Reply(200, {"text": '{"a": "' + "x" * (LONGEST_TEXT - 7), "cut": True}),
    ),
}


@asynccontextmanager
async def outside(answer: web.Response | None = None) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """Serve an outside that gives one reply, or one that shows which headers came."""
    came: list[web.Request] = []

    async def serve(request: web.Request) -> web.Response:
        came.append(request)
        return answer or web.json_response({"authorization": request.headers.get("authorization")})

    app = web.Application()
    app.router.add_post("/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}", came
    finally:
        await runner.cleanup()


async def reply_of(base_url: str, path: str = "/letters") -> Reply:
    """Call once, in a session like the effect lane's."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        return await Call(session, "post-office", base_url, WISH).post(path, Tell(letter="l"))


@pytest.mark.parametrize("kind", REPLIES)
async def test_a_definite_reply_is_an_answer_whatever_its_body(kind: str) -> None:
    """An outside that replied has done or refused the request; it must not be called again."""
    answer, expected = REPLIES[kind]
    async with outside(answer) as (host, came):
        assert await reply_of(f"http://{host}") == expected
    assert [request.headers["idempotency-key"] for request in came] == ["the-key"]


@given(st.binary(max_size=200), st.sampled_from(["application/json", "text/html", ""]), st.text(max_size=8))
def test_no_body_can_make_a_reply_unreadable(raw: bytes, content_type: str, charset: str) -> None:
    """This holds for all bytes, and for every content type."""
    assert isinstance(dict(read_reply(raw, content_type, charset)), dict)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
async def test_a_redirect_says_that_the_address_is_wrong(status: int) -> None:
    """It is not followed; the reason names the setting and shows no secret of the new address."""
    location = "https://me:secret@elsewhere.example/x?token=secret#secret"
    async with outside(web.Response(status=status, headers={"location": location})) as (host, came):
        with pytest.raises(WrongAddressError) as wrong:
            await reply_of(f"http://{host}")
    assert f"answered {status}" in str(wrong.value)
    assert "OUTSIDE_POST_OFFICE" in str(wrong.value)
    assert "https://elsewhere.example/x" in str(wrong.value)
    assert "secret" not in str(wrong.value)
    assert len(came) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 599])
async def test_trouble_of_the_outside_is_no_answer(status: int) -> None:
    """The body of the reply does not matter."""
    async with outside(web.json_response({"done": True}, status=status)) as (host, _):
        with pytest.raises(OutsideUnavailableError, match=str(status)):
            await reply_of(f"http://{host}")


async def test_nobody_there_is_no_answer() -> None:
    """The message names the outside and shows no credential."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(OutsideUnavailableError) as trouble:
            await reply_of(f"http://me:secret@127.0.0.1:{port}")
    assert "post-office did not answer" in str(trouble.value)
    assert "secret" not in str(trouble.value)


@pytest.mark.parametrize(
    ("credential", "header"),
    [
        ("me:secret", "Basic bWU6c2VjcmV0"),
        ("me:s%2Fcr%40t", "Basic bWU6cy9jckB0"),
        ("m%C3%BCller", "Basic bcO8bGxlcjo="),
    ],
)
async def test_a_credential_of_the_address_is_an_authorization_header(credential: str, header: str) -> None:
    """It is no part of the URL that is called, logged or traced."""
    async with outside() as (host, came):
        assert await reply_of(f"http://{credential}@{host}/api/") == Reply(200, {"authorization": header})
    assert came[0].path == "/api/letters"
    assert read_address("post-office", f"http://{credential}@{host}/api/").url == f"http://{host}/api"


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "post-office",
        "me:secret@host",
        "ftp://me:secret@host",
        "http://",
        "http://me:se/cret@host",
        "http://[secret",
        "http://host/?token=secret",
        "http://host/#secret",
        "http://me:secret@host:port",
    ],
)
def test_an_address_that_cannot_be_called_is_refused_at_the_start(base_url: str) -> None:
    """The message names the setting, and does not repeat the address, which may hold a password."""
    with pytest.raises(ChoreographyError, match="OUTSIDE_POST_OFFICE is no base URL") as wrong:
        read_address("post-office", base_url)
    assert "secret" not in str(wrong.value)


async def test_a_path_cannot_change_the_host_that_is_called() -> None:
    """``@evil.example`` behind a base URL would make the base URL a user name."""
    with pytest.raises(ValueError, match="must begin with a slash"):
        await reply_of("http://127.0.0.1", "@evil.example/letters")


async def _desk_with(answer: web.Response) -> tuple[list[web.Request], FakeSidecar, str]:
    """Let a desk carry out one intent, whose outside gives one reply, until it is acknowledged."""
    sidecar = FakeSidecar()
    async with sidecar.listening(), outside(answer) as (host, came):
        settings = sidecar.settings(self_check=False, outsides={"bank": f"http://{host}"})
        app = build_app(desk, settings, lambda _: None)
        async with alive(app):
            await until(lambda: ready(app))
            delivered = batch(Asked.topic, event(Asked(box="b"), "asked"))
            _, statuses = await ask(app, "POST", "/events", delivered)
            metrics = await _metrics(app)
    assert statuses == {"statuses": [{"entryId": "0", "status": "SUCCESS"}]}
    return came, sidecar, metrics


async def _metrics(app: Any) -> str:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/metrics", "raw_path": b"/metrics", "query_string": b""}
    await app(scope | {"headers": [], "root_path": "", "http_version": "1.1", "scheme": "http"}, receive, send)
    return b"".join(message.get("body", b"") for message in sent).decode()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (web.Response(status=307, headers={"location": "/x"}), "answered 307"),
        (web.Response(status=204), "receipt"),
        (web.Response(status=404, text=HTML, content_type="text/html"), "receipt"),
    ],
    ids=["redirect", "empty", "page"],
)
async def test_an_intent_that_nobody_can_use_the_answer_of_goes_to_a_person_after_one_call(
    answer: web.Response, reason: str
) -> None:
    """Every further call would give the same result."""
    came, sidecar, metrics = await _desk_with(answer)
    assert len(came) == 1
    (aside,) = [one.quarantined for one in sidecar.store.outcomes() if one.quarantined]
    assert reason in aside.reason
    assert 'choreography_unanswered_total{outside="bank",service="desk"} 0.0' in metrics
