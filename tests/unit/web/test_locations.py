"""Every usual client can read an accepted id at the Location of the response."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urljoin

import aiohttp
import orjson
import pytest
import urllib3
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.web.shop import send, shop_app, shop_server

Ask = Callable[[str], Awaitable[tuple[int, bytes]]]
UNREACHABLE = ("", ".", "..", "/", "a/b", "2026/001", "../etc", "/a", "a/", "\\", "a\\b", "x" * 257)
REACHABLE = (
    *("a.b", "...", ".a", "%2e%2e", "a%2Fb", "a b", " ", "a?b", "?", "#", "a#b", "%", "100%", "a;b", "a&b=c", "a+b"),
    *("@", "~", "a:b", "'", '"', "<a>", "{order_id}", "a||b", "ü", "日本語", "😀", "x" * 256),
    *("e\u0301", "\u00a0", "\u2028", "\u202e"),
)


async def by_aiohttp(url: str) -> tuple[int, bytes]:
    """Ask as aiohttp does."""
    async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as answer:
        return answer.status, await answer.read()


async def by_urllib3(url: str) -> tuple[int, bytes]:
    """Ask as urllib3 does, and whatever is built on it."""
    answer = await asyncio.to_thread(urllib3.request, "GET", url, timeout=10, redirect=False)
    return answer.status, answer.data


async def by_urllib(url: str) -> tuple[int, bytes]:
    """Ask as the standard library does."""

    def ask() -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 # of our own server
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()

    return await asyncio.to_thread(ask)


CLIENTS: dict[str, Ask] = {
    "aiohttp": by_aiohttp,
    "urllib": by_urllib,
    "urllib3": by_urllib3,
}


@pytest.fixture(scope="module")
async def base() -> AsyncIterator[str]:
    """Serve the shop."""
    async with shop_server() as (port, _):
        yield f"http://127.0.0.1:{port}"


async def placed(base: str, order_id: str) -> tuple[int, str]:
    """Place an order; its status and its location."""
    body = orjson.dumps({"order_id": order_id})
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{base}/orders", data=body, headers={"content-type": "application/json"}) as answer,
    ):
        return answer.status, answer.headers.get("location", "")


async def _is_reached(base: str, order_id: str, clients: dict[str, Ask]) -> None:
    status, location = await placed(base, order_id)
    assert status in (202, 422)
    if status == 422:
        return
    for name, ask in clients.items():
        status, body = await ask(urljoin(base, location))
        assert (name, status) == (name, 202)
        assert orjson.loads(body) == {"order_id": order_id, "status": "accepted"}


@pytest.mark.parametrize("order_id", REACHABLE)
async def test_an_id_that_can_be_part_of_a_url_is_accepted(base: str, order_id: str) -> None:
    """Percent-encoded, and decoded once."""
    assert (await placed(base, order_id))[0] == 202
    await _is_reached(base, order_id, CLIENTS)


@pytest.mark.parametrize("order_id", UNREACHABLE)
async def test_an_id_that_cannot_be_reached_is_refused_at_the_door(order_id: str) -> None:
    """The message says which ids are allowed."""
    async with shop_app() as (app, sidecar):
        body = orjson.dumps({"order_id": order_id})
        answer = await send(app, "POST", "/orders", body, [("content-type", "application/json")])
        assert answer.status == 422
        if order_id and len(order_id) <= 256:
            assert "order_id" in answer.detail
            assert "without /" in answer.detail
        assert not sidecar.published


@pytest.mark.parametrize("path", ["/orders/%2e/again", "/orders/%2E%2E/again", "/orders/a%5Cb/again"])
async def test_an_id_in_a_path_is_judged_as_one_in_a_body(path: str) -> None:
    """Even a client that can send it raw may not create an id that others could not read."""
    async with shop_app() as (app, sidecar):
        assert (await send(app, "POST", path)).status == 422
        assert not sidecar.published


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/orders/a%2Fagain"), ("GET", "/orders%2Fa"), ("HEAD", "/orders%2fa")]
)
async def test_an_encoded_slash_leads_nowhere(method: str, path: str) -> None:
    """Decoded, it would split the path, and a proxy in front may have checked another path."""
    async with shop_app() as (app, sidecar):
        assert (await send(app, method, path)).status == 404
        assert not sidecar.published


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order_id=st.one_of(st.text(max_size=12), st.text("./\\%2eEfF?#;:@&=+ a", max_size=6)))
@example(order_id="%2e%2e")
@example(order_id="..;")
async def test_whatever_is_accepted_is_reached(base: str, order_id: str) -> None:
    """Hypothesis looks for an accepted id that cannot be reached."""
    await _is_reached(base, order_id, CLIENTS)
