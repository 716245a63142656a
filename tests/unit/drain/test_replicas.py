"""Replicas report their state over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from prometheus_client import generate_latest

from choreography.drain.replicas import census
from choreography.drain.sight import DrainError
from choreography.telemetry import Metrics


@asynccontextmanager
async def serving(text: Callable[[], bytes]) -> AsyncIterator[str]:
    """Serve metrics."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=text())

    app = web.Application()
    handler: Callable[[web.Request], Awaitable[web.Response]] = metrics
    app.router.add_get("/metrics", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_replica_says_whether_its_intake_is_open_and_what_it_has_in_hand() -> None:
    """It reports both in its ordinary metrics."""
    metrics = Metrics("order")
    metrics.intake.set(1)
    async with serving(lambda: generate_latest(metrics.registry)) as url:
        with metrics.in_hand.track_inprogress():
            (busy,) = (await census([url], ["order"])).replicas
        metrics.intake.set(0)
        (idle,) = (await census([url], ["order"])).replicas
    assert (busy.service, busy.url, busy.intake_open, busy.in_hand) == ("order", url, True, 1)
    assert (idle.intake_open, idle.in_hand) == (False, 0)
    assert busy.mark == idle.mark


async def test_whatever_a_replica_takes_or_says_changes_its_mark() -> None:
    """A restart changes the mark too, because the replica then counts from zero."""
    first, second = Metrics("order"), Metrics("order")
    answering = first
    async with serving(lambda: generate_latest(answering.registry)) as url:
        marks = [(await census([url], ["order"])).replicas[0].mark]
        for counter in (first.delivered, first.published, first.commands):
            counter.inc()
            marks.append((await census([url], ["order"])).replicas[0].mark)
        answering = second
        marks.append((await census([url], ["order"])).replicas[0].mark)
    assert len(set(marks)) == 5


async def test_an_app_of_which_no_replica_answers_is_told() -> None:
    """A silent replica may have anything in hand."""
    metrics = Metrics("order")
    async with serving(lambda: generate_latest(metrics.registry)) as url:
        found = await census([url, "http://127.0.0.1:1"], ["order", "billing"])
    assert [one.service for one in found.replicas] == ["order"]
    assert found.silent == (
        "http://127.0.0.1:1 does not answer (ClientConnectorError)",
        "no replica of billing has answered",
    )


async def test_a_pattern_stands_for_every_app() -> None:
    """In a cluster each app has a name of its own."""
    found = await census(["http://{app}.invalid:8000"], ["order", "billing"])
    told = " ".join(found.silent)
    assert "nobody knows where http://order.invalid:8000 is" in told
    assert "nobody knows where http://billing.invalid:8000 is" in told


async def test_something_else_that_answers_is_no_replica() -> None:
    """A missing figure for work in hand does not mean zero."""
    async with serving(lambda: b"up 1\n") as url:
        found = await census([url], ["order"])
    assert found.silent == (
        f"{url} answers, but not as a service of this release",
        "no replica of order has answered",
    )


async def test_a_place_that_is_no_url_is_refused() -> None:
    """The refusal shows an example of a URL."""
    with pytest.raises(DrainError, match=r"http://127\.0\.0\.1:8001 or http://\{app\}-dapr:8000"):
        await census(["order:8000"], ["order"])
