"""The driver on a sidecar that lies: the client interprets each reply, and acknowledgements follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from choreography.engine.identity import Key
from choreography.families import family_of
from choreography.sidecar.client import SidecarClient
from choreography.stores.through_sidecar import SidecarStore
from choreography.web.app import build_app
from tests.unit.engine.events import wire
from tests.unit.engine.toy import Asked, Box, Moved, Opened, Put, StreetEvent, desk
from tests.unit.sidecar.fake_sidecar import FakeSidecar, Fault, alive, ask, batch, ready, until

NOW = datetime.now(UTC).isoformat()
"""The driver goes by the clock, and what is older than the horizon is quarantined."""


@dataclass
class Bank:
    """The outside: replies with these statuses first, then correctly; while closed, it does not reply."""

    statuses: list[int] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    keys: list[str] = field(default_factory=list)
    port: int = 0

    async def pay(self, request: web.Request) -> web.Response:
        """Pay once per key."""
        self.keys.append(request.headers["Idempotency-Key"])
        await self.open.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        return web.json_response({"receipt": f"for {self.keys[-1]}"}, status=status)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen for as long as the block lasts."""
        app = web.Application()
        app.router.add_post("/pay", self.pay)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()


@dataclass
class Running:
    """A desk on its sidecar, with its bank."""

    app: Any
    sidecar: FakeSidecar
    bank: Bank

    async def deliver(self, *events: dict[str, Any], topic: str = "") -> list[bool]:
        """Deliver a batch and return for each entry whether it was acknowledged."""
        topic = topic or family_of(events[0]["type"])
        status, answer = await ask(self.app, "POST", "/events", batch(topic, *events))
        assert status == 200
        return [one["status"] == "SUCCESS" for one in answer["statuses"]]

    async def until_acknowledged(self, *events: dict[str, Any], topic: str = "") -> None:
        """Deliver again and again, as a broker would."""

        async def acknowledged() -> bool:
            return all(await self.deliver(*events, topic=topic))

        await until(acknowledged)

    def said(self, wire_type: str) -> set[str]:
        """The ids of published events of one type."""
        return {event["id"] for _, event in self.sidecar.published if event["type"] == wire_type}

    def coins(self, box: str) -> int | None:
        """The coins in a box, by the store."""
        record = self.sidecar.store.entities().get(str(Key("desk", Box.kind, box)))
        return record.state["coins"] if record and record.state else None


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """Start a desk."""
    sidecar, bank = FakeSidecar(), Bank()
    bank.open.set()
    refused: list[str] = []
    async with sidecar.listening(), bank.listening():
        outsides = {"bank": f"http://127.0.0.1:{bank.port}"}
        app = build_app(desk, sidecar.settings(self_check=False, outsides=outsides), refused.append)
        async with alive(app):
            await until(lambda: ready(app))
            yield Running(app, sidecar, bank)
    assert not refused


def event(said: StreetEvent | Opened, event_id: str) -> dict[str, Any]:
    """Return an event of today."""
    return wire(said, event_id, time=NOW)


@pytest.mark.parametrize("fault", ["breaks off before", "breaks off after", "500 before", "500 after"])
async def test_a_commit_without_an_answer_happens_once(running: Running, fault: Fault) -> None:
    """The service reads from the store whether it happened, for each event by itself."""
    running.sidecar.will("commit", fault, fault)
    puts = [event(Put(box=f"b{number}", amount=1), f"put-{number}") for number in range(4)]
    await running.until_acknowledged(*puts)
    assert [running.coins(f"b{number}") for number in range(4)] == [1, 1, 1, 1]
    assert len(running.said("box.counted.v1")) == 4


async def test_a_store_in_trouble_sets_no_event_aside(running: Running) -> None:
    """A 500 is about the store and not about the event."""
    running.sidecar.will("commit", "500 before", times=8)
    await running.until_acknowledged(event(Put(box="b", amount=1), "put"))
    assert running.coins("b") == 1
    assert not [one for one in running.sidecar.store.outcomes() if one.quarantined]


async def test_nothing_is_acknowledged_before_it_is_committed(running: Running) -> None:
    """While the store refuses, the service answers RETRY."""
    running.sidecar.will("commit", "500 before", times=40)
    assert await running.deliver(event(Put(box="b", amount=1), "put")) == [False]
    assert not running.sidecar.published
    assert running.coins("b") is None


async def test_an_entry_that_is_not_done_is_not_acknowledged_with_its_neighbours(running: Running) -> None:
    """The broker refused one entry's event: that entry comes again, the other does not."""
    running.sidecar.will("publish", "partly")
    puts = [event(Put(box=f"b{number}", amount=1), f"put-{number}") for number in range(2)]
    assert await running.deliver(*puts) == [False, True]
    assert await running.deliver(puts[0]) == [True]
    assert len(running.said("box.counted.v1")) == 2


@pytest.mark.parametrize("fault", ["breaks off before", "breaks off after", "500 before", "500 after", "400"])
async def test_a_publish_without_an_answer_is_done_again(running: Running, fault: Fault) -> None:
    """It has the same id, so earlier consumers find a repeat."""
    running.sidecar.will("publish", fault)
    put = event(Put(box="b", amount=1), "put")
    assert await running.deliver(put) == [False]
    await running.until_acknowledged(put)
    assert running.coins("b") == 1
    assert len(running.said("box.counted.v1")) == 1


@pytest.mark.parametrize("fault", ["partly", "breaks off before", "500 before"])
async def test_a_read_that_fails_shows_nothing(running: Running, fault: Fault) -> None:
    """An unread key is not treated as missing: here that would silence a reaction."""
    await running.until_acknowledged(event(Put(box="from", amount=5), "put"))
    running.sidecar.will("read", fault)
    running.sidecar.will("confirm", "500 before")
    await running.until_acknowledged(event(Moved(box="from", to=("a", "b")), "moved"))
    assert [running.coins(box) for box in ("from", "a", "b")] == [3, 1, 1]


async def test_a_key_that_could_not_be_read_is_told_from_one_that_is_not_there(running: Running) -> None:
    """Both are missing from a bulk get that looks successful."""
    client = SidecarClient(running.sidecar.settings())
    store = SidecarStore(client, "statestore")
    keys = [Key("desk", "box", "a"), Key("desk", "box", "b")]
    try:
        running.sidecar.will("read", "partly", "none")
        assert (await store.read(keys)).failed == set(keys)
        assert (await store.read(keys)).failed == frozenset()
    finally:
        await client.close()


async def test_a_failed_get_proves_no_absence(running: Running) -> None:
    """A bulk get hides a record, and the confirming get fails: then nothing is decided."""
    await running.until_acknowledged(event(Put(box="from", amount=5), "put"))
    running.sidecar.store.reads.append(lambda _key: "hidden")
    running.sidecar.will("confirm", "500 before", "breaks off before")
    await running.until_acknowledged(event(Moved(box="from", to=("a", "b")), "moved"))
    assert [running.coins(box) for box in ("from", "a", "b")] == [3, 1, 1]


async def test_a_refused_event_is_set_aside_alone(running: Running) -> None:
    """A 4xx is about this request only, so its neighbours go through."""
    bad = str(Key("desk", Box.kind, "bad"))
    running.sidecar.store.refuses = lambda writes: any(
        str(write.key) == bad and '"coins":1' in (write.value or "") for write in writes
    )
    puts = [event(Put(box=box, amount=1), f"put-{box}") for box in ("a", "bad", "c")]
    await running.until_acknowledged(*puts)
    assert [running.coins(box) for box in ("a", "bad", "c")] == [1, None, 1]
    assert [one.event_id for one in running.sidecar.store.outcomes() if one.quarantined] == ["put-bad"]


@pytest.mark.parametrize("fault", ["breaks off before", "500 before", "400"])
async def test_a_delivery_waits_until_its_deadline_is_scheduled(running: Running, fault: Fault) -> None:
    """Otherwise the deadline would be lost."""
    running.sidecar.will("schedule", fault)
    opened = event(Opened(box="b"), "opened")
    assert await running.deliver(opened) == [False]
    await running.until_acknowledged(opened)
    assert len(running.sidecar.jobs) == 1


async def test_a_deadline_that_cannot_be_settled_is_not_done(running: Running) -> None:
    """The scheduler must fire it again."""
    await running.until_acknowledged(event(Opened(box="b"), "opened"))
    job = running.sidecar.jobs[0]["data"]
    running.sidecar.will("commit", "500 before", times=40)
    assert (await ask(running.app, "POST", "/job/due-1", job))[0] == 500
    running.sidecar.faults.clear()
    assert (await ask(running.app, "POST", "/job/due-1", job))[0] == 200
    assert len(running.said("box.reminded.v1")) == 1


@pytest.mark.parametrize("statuses", [[500], [503, 429], [500] * 6])
async def test_a_provider_that_fails_is_asked_again_with_the_same_key(running: Running, statuses: list[int]) -> None:
    """A 500 is no definite reply, however often it comes."""
    running.bank.statuses = list(statuses)
    asked = event(Asked(box="b"), "asked")
    await running.until_acknowledged(asked)
    handed_over = [later for topic, later in running.sidecar.published if topic == "desk-intents"]
    for later in handed_over:
        # Acknowledged means done: it will never be redelivered.
        await running.until_acknowledged(later, topic="desk-intents")
    assert running.said("prize.paid.v1")
    assert len(set(running.bank.keys)) == 1
    assert len(running.bank.keys) == len(statuses) + 1
    assert running.coins("b") == 1000


async def test_an_answer_that_is_slow_to_settle_is_not_handed_over(running: Running) -> None:
    """Under load our own work takes long, and a second lane for it would only add work."""
    running.sidecar.slow = {"read": 0.2, "commit": 0.2, "publish": 0.2}
    assert await running.deliver(*(event(Asked(box=f"b{n}"), f"asked-{n}") for n in range(5))) == [True] * 5
    assert len(running.said("prize.paid.v1")) == 5
    assert not running.said("choreography.intent.v1")


async def test_an_intent_is_handed_over_while_the_outside_hangs(running: Running) -> None:
    """The batch goes on, without intents whose call hangs or that queue behind them."""
    running.bank.open.clear()
    many = [event(Asked(box=f"b{n}"), f"asked-{n}") for n in range(70)]
    assert await running.deliver(*many) == [True] * 70
    assert len(running.bank.keys) == 64
    assert len(running.said("choreography.intent.v1")) == 70
    running.bank.open.set()
    later = [said for topic, said in running.sidecar.published if topic == "desk-intents"]
    await running.until_acknowledged(*later, topic="desk-intents")
    assert len(running.said("prize.paid.v1")) == 70
    assert len(running.bank.keys) == len(set(running.bank.keys)) == 70


async def test_an_intent_that_was_answered_and_told_is_not_told_again(running: Running) -> None:
    """Eager redelivery must not multiply events downstream."""
    running.bank.open.clear()
    await running.deliver(event(Asked(box="b"), "asked"))
    running.bank.open.set()
    (later,) = [said for topic, said in running.sidecar.published if topic == "desk-intents"]
    for _ in range(3):
        await running.until_acknowledged(later, topic="desk-intents")
    assert [topic for topic, _ in running.sidecar.published].count("prize.paid") == 1


async def test_answers_share_the_calls_that_publish_them(running: Running) -> None:
    """They come one by one, and a separate call for each would be the largest cost."""
    running.sidecar.slow = {"publish": 0.05}
    await running.deliver(*(event(Asked(box=f"b{n}"), f"asked-{n}") for n in range(50)))

    def calls() -> list[int]:
        return [count for topic, count in running.sidecar.calls if topic == "prize.paid"]

    async def all_published() -> bool:
        return sum(calls()) == 50

    # On a busy machine the bank seems to hang, and the delivery ends before its intents do.
    await until(all_published)
    assert len(calls()) < 10


async def test_the_outside_is_asked_only_for_what_is_committed(running: Running) -> None:
    """A service that has not committed must not call."""
    running.sidecar.will("commit", "500 before", times=40)
    assert await running.deliver(event(Asked(box="b"), "asked")) == [False]
    assert not running.bank.keys


async def test_an_intent_older_than_its_key_is_left_to_a_person(running: Running) -> None:
    """The bank may have forgotten the key, so another call could pay twice."""
    old = {"effect": "pay", "key": "an-old-key", "body": '{"box":"b","coins":0}', "flow_id": "f", "traceparent": ""}
    later = event(Asked(box="b"), "later") | {
        "type": "choreography.intent.v1",
        "source": "desk",
        "data": old | {"at": "2020-01-01T00:00:00Z"},
    }
    await running.until_acknowledged(later, topic="desk-intents")
    assert not running.bank.keys
    (aside,) = [one.quarantined for one in running.sidecar.store.outcomes() if one.quarantined]
    assert "A person must look" in aside.reason
