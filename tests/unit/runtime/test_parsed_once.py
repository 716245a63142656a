"""On its way through a running service the JSON of an event is parsed once, and an intent is decoded once."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from aiohttp import web
from pydantic import field_validator

from choreography import Answer, Decision, Entity, Event, Id, Intent, Outside, Service
from choreography.web.app import Front, build_app
from tests.unit.engine.events import wire
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ask, ready, until

NOW = datetime.now(UTC).isoformat()
decoded: Counter[str] = Counter()
"""How often a contract has validated its first field, by the name of the contract."""


class Wanted(Event, type="parcel.wanted.v1", owner="street", subject="parcel"):
    """Somebody wants a parcel."""

    parcel: Id

    @field_validator("parcel")
    @classmethod
    def count(cls, parcel: str) -> str:
        """Count."""
        decoded["Wanted"] += 1
        return parcel


class Fetch(Intent):
    """Fetch it."""

    parcel: Id

    @field_validator("parcel")
    @classmethod
    def count(cls, parcel: str) -> str:
        """Count."""
        decoded["Fetch"] += 1
        return parcel


class Fetched(Answer, type="parcel.was-fetched.v1"):
    """It was fetched."""

    parcel: Id


class Parcel(Entity, key="parcel"):
    """A parcel."""

    parcel: Id
    fetched: bool = False


porter = Service("porter")


@porter.on(Wanted)
def ask_for_it(parcel: Parcel, wanted: Wanted) -> Decision[Fetch]:
    """Ask the depot."""
    return parcel, Fetch(parcel=wanted.parcel)


@porter.on(Fetched)
def note(parcel: Parcel, _: Fetched) -> Decision:
    """Note it."""
    return parcel.but(fetched=True)


@porter.effect(outside="depot")
async def fetch(intent: Fetch, depot: Outside) -> Fetched:
    """Fetch it, and change the intent, which is forbidden."""
    parcel = intent.parcel
    object.__setattr__(intent, "parcel", "another")
    await depot.post("/parcels", Parcel(parcel=parcel))
    return Fetched(parcel=parcel)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count how often a text of JSON that is an event was parsed, by the id of the event."""
    counts: Counter[str] = Counter()
    loads = orjson.loads

    def counting(text: Any) -> Any:
        read = loads(text)
        if isinstance(read, dict) and "specversion" in read and read.get("source") == "street":
            counts[str(read.get("id"))] += 1
        return read

    monkeypatch.setattr(orjson, "loads", counting)
    yield counts
    decoded.clear()


@asynccontextmanager
async def running(refusals: int = 0) -> AsyncIterator[tuple[Front, FakeSidecar]]:
    """Start a porter, whose depot answers with 500 at first."""
    left = [500] * refusals
    depot = web.Application()

    async def give(_: web.Request) -> web.Response:
        return web.json_response({}, status=left.pop() if left else 200)

    depot.router.add_post("/parcels", give)
    runner = web.AppRunner(depot)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sidecar = FakeSidecar()
    async with sidecar.listening():
        outsides = {"depot": f"http://127.0.0.1:{runner.addresses[0][1]}"}
        app = build_app(porter, sidecar.settings(self_check=False, outsides=outsides), lambda _: None)
        async with alive(app):
            await until(lambda: ready(app))
            yield app, sidecar
    await runner.cleanup()


def event(event_id: str) -> dict[str, Any]:
    """Return an event of today, and reset the counters that making it has changed."""
    made = wire(Wanted(parcel=event_id), event_id, time=NOW)
    decoded.clear()
    return made


def in_base64(said: dict[str, Any]) -> str:
    """Return an event as the sidecar delivers raw bytes."""
    return base64.b64encode(orjson.dumps(said)).decode()


async def test_the_entries_of_a_batch_are_parsed_once_each(parsed: Counter[str]) -> None:
    """Entries come as bytes; one that came as JSON was parsed with its batch, and not again."""
    async with running() as (app, _):
        entries = [
            {"entryId": "1", "event": in_base64(event("e1"))},
            {"entryId": "2", "event": in_base64(event("e2"))},
            {"entryId": "3", "event": event("e3")},
        ]
        status, answer = await ask(app, "POST", "/events", {"topic": Wanted.topic, "entries": entries})
        assert (status, [one["status"] for one in answer["statuses"]]) == (200, ["SUCCESS"] * 3)
    assert parsed == {"e1": 1, "e2": 1}
    assert decoded["Wanted"] == 3


async def test_an_event_that_comes_alone_is_parsed_once(parsed: Counter[str]) -> None:
    """This holds if the sidecar wraps it, and if it does not."""
    async with running() as (app, _):
        wrapped = {"data_base64": in_base64(event("e1")), "topic": Wanted.topic, "pubsubname": "pubsub"}
        assert await ask(app, "POST", "/events", wrapped) == (200, {"status": "SUCCESS"})
        plain = event("e2") | {"topic": Wanted.topic}
        decoded.clear()
        assert await ask(app, "POST", "/events", plain) == (200, {"status": "SUCCESS"})
    assert parsed == {"e1": 1, "e2": 1}
    assert decoded["Wanted"] == 1


async def test_an_intent_is_decoded_once_however_often_the_outside_is_asked(parsed: Counter[str]) -> None:
    """Each call gets a copy, so changes do not reach the next call or the reaction's own value."""
    async with running(refusals=2) as (app, sidecar):
        entries = [{"entryId": "1", "event": in_base64(event("e1"))}]
        _, answer = await ask(app, "POST", "/events", {"topic": Wanted.topic, "entries": entries})
        assert answer == {"statuses": [{"entryId": "1", "status": "SUCCESS"}]}

        async def fetched() -> bool:
            return any(one.state and one.state["fetched"] for one in sidecar.store.entities().values())

        await until(fetched)
        [record] = sidecar.store.entities().values()
        assert record.state == {"parcel": "e1", "fetched": True}
    made_by_the_reaction, read_by_the_lane = 1, 1
    assert decoded["Fetch"] == made_by_the_reaction + read_by_the_lane
    assert parsed == {"e1": 1}
