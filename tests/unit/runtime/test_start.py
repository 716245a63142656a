"""Starting under load: a service that was down starts although many events wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from choreography.engine.beside import Beside
from choreography.engine.operations import ANY_ETAG, CommitResult, Write
from choreography.families import family_of
from choreography.runtime import self_check
from choreography.topics import canary
from choreography.web.app import build_app
from tests.unit.engine.events import wire
from tests.unit.engine.store import Store
from tests.unit.engine.toy import Broken, Put, desk
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ask, batch, ready, until

NOW = datetime.now(UTC).isoformat()


async def test_a_service_starts_although_what_waited_for_it_takes_every_worker_of_its_sidecar() -> None:
    """All topics share the sidecar's workers, so a canary comes only after earlier deliveries are answered.

    A service that holds them until the canary is back waits for itself, gives up, and waits again after its restart.
    """
    sidecar = FakeSidecar()
    refused: list[str] = []
    answered = asyncio.Event()

    async def bring(topic: str, event: dict[str, Any]) -> None:
        if topic != canary(desk.name):
            return
        await answered.wait()
        for _ in range(3):
            await ask(app, "POST", "/events", batch(topic, event))

    sidecar.on_publish = bring
    async with sidecar.listening():
        app = build_app(desk, sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}), refused.append)
        async with alive(app), asyncio.timeout(20):
            event = wire(Put(box="b1", amount=1), "put-1", time=NOW)
            status, answer = await ask(app, "POST", "/events", batch(family_of(event["type"]), event))
            answered.set()
            assert (status, answer) == (200, {"statuses": [{"entryId": "0", "status": "SUCCESS"}]})
            await until(lambda: ready(app))
    assert not refused


async def test_a_service_is_not_ready_before_the_canary_is_back() -> None:
    """It may settle events, but its readiness check still answers no."""
    sidecar = FakeSidecar()
    refused: list[str] = []
    async with sidecar.listening():
        app = build_app(desk, sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}), refused.append)
        async with alive(app), asyncio.timeout(20):
            event = wire(Put(box="b1", amount=1), "put-1", time=NOW)
            await ask(app, "POST", "/events", batch(family_of(event["type"]), event))
            assert (await ask(app, "GET", "/readyz"))[0] == 503


async def test_a_broker_that_forgets_what_was_answered_retry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It delivers the canary once and drops it after RETRY, as it would drop every event that fails once."""
    monkeypatch.setattr(self_check, "_CANARY_PATIENCE", 1.0)
    sidecar = FakeSidecar()
    refused: list[str] = []

    async def bring_once(topic: str, event: dict[str, Any]) -> None:
        if topic == canary(desk.name):
            await ask(app, "POST", "/events", batch(topic, event))

    sidecar.on_publish = bring_once
    async with sidecar.listening():
        app = build_app(desk, sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}), refused.append)

        async def has_refused() -> bool:
            return bool(refused)

        async with alive(app):
            await until(has_refused)
            assert not await ready(app)
    assert "maxRetries" in refused[0]


async def test_a_canary_that_the_sidecar_keeps_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sidecar may keep an event that it takes while it still subscribes; that is not the broker's fault."""
    monkeypatch.setattr(self_check, "_ANOTHER_CANARY", 0.3)
    sidecar = FakeSidecar()
    refused: list[str] = []
    kept: list[str] = []

    async def keep_the_first(topic: str, event: dict[str, Any]) -> None:
        if topic != canary(desk.name):
            return
        kept.append(event["id"])
        if len(kept) > 1:
            for _ in range(2):
                await ask(app, "POST", "/events", batch(topic, event))

    sidecar.on_publish = keep_the_first
    async with sidecar.listening():
        app = build_app(desk, sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}), refused.append)
        async with alive(app):
            await until(lambda: ready(app))
    assert len(set(kept)) == 2
    assert not refused


async def test_many_canaries_do_not_make_up_for_one_that_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that delivers each canary only once forgets each event after RETRY."""
    monkeypatch.setattr(self_check, "_ANOTHER_CANARY", 0.1)
    monkeypatch.setattr(self_check, "_CANARY_PATIENCE", 1.0)
    sidecar = FakeSidecar()
    refused: list[str] = []
    brought: list[str] = []

    async def bring_once(topic: str, event: dict[str, Any]) -> None:
        if topic == canary(desk.name):
            brought.append(event["id"])
            await ask(app, "POST", "/events", batch(topic, event))

    sidecar.on_publish = bring_once
    async with sidecar.listening():
        app = build_app(desk, sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}), refused.append)

        async def has_refused() -> bool:
            return bool(refused)

        async with alive(app):
            await until(has_refused)
    assert len(brought) > 2
    assert "maxRetries" in refused[0]


async def test_a_topic_that_the_scopes_do_not_allow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service could not publish its events, and only a stuck order would show it."""
    monkeypatch.setattr(self_check, "_PUBLISHING_PATIENCE", 0.1)
    sidecar = FakeSidecar(forbidden={"shop.prize.paid"})
    refused: list[str] = []
    async with sidecar.listening():
        settings = sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}, topic_prefix="shop")
        app = build_app(desk, settings, refused.append)
        sidecar.on_publish = bring_back(lambda: app)

        async def has_refused() -> bool:
            return bool(refused)

        async with alive(app), asyncio.timeout(20):
            await until(has_refused)
    assert "'prize.paid'" in refused[0]
    assert "publishingScopes" in refused[0]


async def test_a_start_publishes_nothing_but_canaries_to_the_service_itself() -> None:
    """Any other event would reach consumers, which would not know it."""
    sidecar = FakeSidecar()
    refused: list[str] = []
    async with sidecar.listening():
        settings = sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}, topic_prefix="shop")
        app = build_app(desk, settings, refused.append)
        sidecar.on_publish = bring_back(lambda: app)
        async with alive(app), asyncio.timeout(20):
            await until(lambda: ready(app))
    assert not refused
    assert {topic for topic, _ in sidecar.published} == {"shop.desk-canary"}


async def test_topics_have_their_prefix_on_the_broker_only() -> None:
    """It is added at publishing and removed at delivery, on the library's own topics as well."""
    sidecar = FakeSidecar()
    refused: list[str] = []
    async with sidecar.listening():
        settings = sidecar.settings(
            outsides={"bank": "http://127.0.0.1:9"}, topic_prefix="shop", pubsub="pubsub-{topic}", self_check=False
        )
        app = build_app(desk, settings, refused.append)
        async with alive(app), asyncio.timeout(20):
            await until(lambda: ready(app))
            put, broken = (
                wire(event, name, time=NOW)
                for event, name in ((Put(box="b1", amount=1), "put-1"), (Broken(box="b"), "bad"))
            )
            for event in (put, broken):
                topic = f"shop.{family_of(event['type'])}"
                assert (await ask(app, "POST", "/events", batch(topic, event)))[0] == 200
            nudge = _nudge(put)
            assert (await ask(app, "POST", "/events", batch("shop.nudges", nudge)))[0] == 200
    assert [topic for topic, _ in sidecar.published] == [
        "shop.box.counted",
        "shop.desk-dead-letters",
        "shop.box.counted",
    ]


def bring_back(app: Callable[[], Any]) -> Callable[[str, dict[str, Any]], Awaitable[None]]:
    """Return a broker that delivers every canary until it is acknowledged."""

    async def bring(topic: str, event: dict[str, Any]) -> None:
        if topic.endswith("-canary"):
            for _ in range(2):
                await ask(app(), "POST", "/events", batch(topic, event))

    return bring


def _nudge(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "n1",
        "type": "choreography.nudge.v1",
        "source": "chronicle",
        "subject": "n1",
        "time": NOW,
        "data": {"events": [event]},
    }


async def test_a_store_that_overwrites_is_refused_before_anything_is_settled() -> None:
    """`state.redis` would do so: no waiting event may be settled on it."""
    sidecar = FakeSidecar(store=Careless())
    refused: list[str] = []
    async with sidecar.listening():
        app = build_app(desk, sidecar.settings(outsides={"bank": "http://127.0.0.1:9"}), refused.append)
        async with alive(app):
            event = wire(Put(box="b1", amount=1), "put-1", time=NOW)
            delivered = asyncio.ensure_future(ask(app, "POST", "/events", batch(family_of(event["type"]), event)))

            async def has_refused() -> bool:
                return bool(refused)

            await until(has_refused)
            assert not delivered.done()
            delivered.cancel()
    assert "state.postgresql" in refused[0]
    assert not sidecar.store.apart()


class Careless(Store):
    """A store that accepts every write and ignores its guard."""

    def commit(self, writes: Sequence[Write], beside: Beside | None = None) -> CommitResult:
        """Write all of it."""
        return super().commit([write._replace(etag=ANY_ETAG) for write in writes], beside)
