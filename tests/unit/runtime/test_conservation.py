"""Each delivery ends as one of: settled, repeated, quarantined, too old, ignored, or RETRY."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from choreography.engine.delivery import Delivery
from choreography.engine.fate import Fate
from choreography.web.app import build_app
from tests.unit.engine.toy import Put, desk
from tests.unit.runtime.test_driver import NOW, Bank, Running, event
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ask, ready, until

_SDK_TYPE: Final = "com.dapr.event.sent"
ENDS: Final = ("settled", "repeats", "quarantined", "too_old", "ignored", "retries")


class Accounts:
    """The counts of a service on its metrics page."""

    def __init__(self, page: str) -> None:
        self.by_type: dict[str, float] = {}
        self._totals: dict[str, float] = {}
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    self._totals[family.name] = self._totals.get(family.name, 0) + sample.value
                if sample.name == "choreography_ignored_total":
                    self.by_type[sample.labels["type"]] = sample.value

    def __getitem__(self, name: str) -> int:
        return int(self._totals.get(f"choreography_{name}", 0))

    def ends(self) -> dict[str, int]:
        """The number of deliveries for each way in which any ended."""
        return {name: self[name] for name in ENDS if self[name]}


async def accounts(app: Any) -> Accounts:
    """Read the metrics page; every delivery must have ended in exactly one way."""
    found = Accounts(await page(app))
    assert found["deliveries"] == sum(found.ends().values())
    return found


async def page(app: Any) -> str:
    """Return the metrics page."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/metrics", "raw_path": b"/metrics", "query_string": b""}
    scope |= {"headers": [], "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("test", 80)}
    await app(scope, receive, send)
    return b"".join(message.get("body", b"") for message in sent).decode()


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """Start a desk."""
    sidecar, bank = FakeSidecar(), Bank()
    bank.open.set()
    async with sidecar.listening(), bank.listening():
        settings = sidecar.settings(self_check=False, outsides={"bank": f"http://127.0.0.1:{bank.port}"})
        app = build_app(desk, settings, print)
        async with alive(app):
            await until(lambda: ready(app))
            yield Running(app, sidecar, bank)


async def one(app: Any, topic: str, raw: bytes) -> bool:
    """Deliver a single message as a sidecar wraps a raw one; return whether it was acknowledged."""
    status, answer = await ask(app, "POST", "/events", wrapped(topic, raw))
    assert status == 200
    return bool(answer["status"] == "SUCCESS")


def wrapped(topic: str, raw: bytes) -> dict[str, str]:
    """Return one raw message as the sidecar wraps it."""
    encoded = base64.b64encode(raw).decode()
    return {"topic": topic, "data_base64": encoded, "specversion": "1.0", "type": _SDK_TYPE, "source": "Dapr"}


def sdk_event(number: int = 1) -> dict[str, Any]:
    """Return an event as Dapr's own SDKs publish it: a type of their own, and no subject."""
    return {
        "specversion": "1.0",
        "id": f"sdk-{number}",
        "type": "com.dapr.event.sent",
        "source": "shop",
        "time": NOW,
        "data": {"box": "b"},
    }


async def test_each_delivery_is_counted_by_how_it_ended(running: Running) -> None:
    """The cases: a new one, a repeat, a broken one, one of an unknown type, and one that the store refuses."""
    put = event(Put(box="b", amount=1), "put")
    await running.deliver(put, put | {"id": "other", "data": {}}, sdk_event())
    await running.deliver(put)
    running.sidecar.will("commit", "500 before", times=40)
    assert await running.deliver(event(Put(box="c", amount=1), "late")) == [False]
    counted = await accounts(running.app)
    assert counted.ends() == {"settled": 1, "repeats": 1, "quarantined": 1, "ignored": 1, "retries": 1}


async def test_what_daprs_sdks_publish_by_default_is_ignored_alone_and_in_a_batch(running: Running) -> None:
    """The service ignores the type, so a missing subject does not matter either."""
    await running.deliver(sdk_event())
    assert await one(running.app, "street", orjson.dumps(sdk_event(2)))
    counted = await accounts(running.app)
    assert counted.by_type["com.dapr.event.sent"] == 2
    assert not running.sidecar.published


async def test_types_that_somebody_invents_do_not_make_time_series_without_end(running: Running) -> None:
    """Fifty are counted by name and the rest together; no name makes the page unreadable."""
    await running.deliver(*(sdk_event(n) | {"type": f"made-up.n{n}.v1"} for n in range(60)))
    await running.deliver(sdk_event() | {"type": 'a"b\n'}, sdk_event() | {"type": "x" * 9000})
    counted = await accounts(running.app)
    assert len(counted.by_type) == 51
    assert counted.by_type["other"] >= 10


def hostile() -> list[bytes]:
    """Return events that somebody with access to a topic might send, valid ones included."""
    put = event(Put(box="b", amount=1), "put")
    answer = {"type": "prize.was-paid.v1", "data": {"box": "b", "receipt": "made up"}}
    library = [{"type": f"choreography.{name}.v1", "data": {}} for name in ("canary", "intent", "nudge", "quarantined")]
    asked: list[Any] = [None, 7, [7], [{}], [put], []]
    named: list[Any] = [None, ["nobody"], [put], [None]]
    control = [{"type": "choreography.nudge.v1", "data": {"events": one}} for one in asked] + [
        {"type": "choreography.replay.v1", "data": {"service": service, "events": one}}
        for service in ("desk", "other", None)
        for one in named
    ]
    changes: list[dict[str, Any]] = [
        {"id": ""},
        {"id": "a\x00b"},
        {"type": 7},
        {"type": "coins.put.v9"},
        {"type": "some.body.v1"},
        {"type": _SDK_TYPE, "subject": None},
        {"type": "desk.remind.due.v1", "data": {"box": "b"}},
        {"source": "thief"},
        {"time": "2000-01-01T00:00:00Z"},
        {"time": "2000-01-02T00:00:00Z"},
        {"time": "2090-01-01T00:00:00Z"},
        {"time": "yesterday"},
        {"data": "text"},
        {"data": {"box": "b", "amount": "x"}},
        answer,
        *library,
        *control,
    ]
    events = [orjson.dumps(put | {"id": f"h{number}"} | change) for number, change in enumerate(changes)]
    return [b"", b"?", b"[]", b"null", b"{}", b"\xff\xfe", b'"' + b"x" * 70_000 + b'"', orjson.dumps(put), *events]


TOPICS: Final = (Put.topic, "nudges", "desk-intents", "desk-canary", "desk-dead-letters", "elsewhere", "")


async def test_the_law_holds_over_everything_hostile_by_every_route(running: Running) -> None:
    """They come in batches and alone, on every topic, as undelivered ones and as jobs: none ends silently."""
    for topic in TOPICS:
        entries = [
            {"entryId": str(place), "event": base64.b64encode(raw).decode()} for place, raw in enumerate(hostile())
        ]
        status, answer = await ask(running.app, "POST", "/events", {"topic": topic, "entries": entries})
        assert (status, len(answer["statuses"])) == (200, len(entries))
        assert {one["status"] for one in answer["statuses"]} == {"SUCCESS"}
        await accounts(running.app)
    for raw in hostile():
        assert await one(running.app, Put.topic, raw)
        assert await one(running.app, "nudges", raw)
        assert (await ask(running.app, "POST", "/undelivered", wrapped("desk-undelivered", raw)))[0] == 200
        assert (await ask(running.app, "POST", "/job/due-x", {"events": [raw.decode("utf-8", "replace")]}))[0] == 200
    counted = await accounts(running.app)
    assert counted["deliveries"] == len(hostile()) * (len(TOPICS) + 4)
    assert counted["retries"] == 0
    assert running.coins("b") is not None
    assert not running.bank.keys
    assert all(one.quarantined.reason for one in running.sidecar.store.outcomes() if one.quarantined)
    letters = {said["data"]["event_id"] for topic, said in running.sidecar.published if topic == "desk-dead-letters"}
    assert letters == {one.event_id for one in running.sidecar.store.outcomes() if one.quarantined}


async def test_a_canary_that_comes_back_is_accounted_for(running: Running) -> None:
    """It is answered RETRY once, which is counted, and settled the second time."""
    canary = event(Put(box="b", amount=1), "run-0") | {"type": "choreography.canary.v1", "source": "desk", "data": {}}
    assert await running.deliver(canary, topic="desk-canary") == [False]
    assert await running.deliver(canary, topic="desk-canary") == [True]
    assert (await accounts(running.app)).ends() == {"settled": 1, "retries": 1}


async def test_what_fails_the_same_way_again_is_set_aside(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 29: the third failure quarantines; its neighbours are settled each time."""
    pipeline = running.app.serving.runtime.pipeline
    account = pipeline.account

    async def failing(deliveries: Sequence[Delivery]) -> list[Fate]:
        if any(delivery.identity == "odd" for delivery in deliveries):
            raise TypeError("nobody thought of this")
        fates: list[Fate] = await account(deliveries)
        return fates

    monkeypatch.setattr(pipeline, "account", failing)
    odd, good = event(Put(box="odd", amount=1), "odd"), event(Put(box="b", amount=1), "good")
    assert [await running.deliver(odd, good) for _ in range(3)] == [[False, True], [False, True], [True, True]]
    assert (await accounts(running.app)).ends() == {"settled": 1, "repeats": 2, "quarantined": 1, "retries": 2}
    [aside] = [one.quarantined for one in running.sidecar.store.outcomes() if one.quarantined]
    assert "failed 3 times in the same way: TypeError: nobody thought of this" in aside.reason


async def test_an_intent_that_no_effect_can_read_is_set_aside_at_once(running: Running) -> None:
    """Rule 29: otherwise it would fail twice a second for ever, with a stack trace each time."""
    wish = {"effect": "pay", "key": "k", "body": "no JSON", "flow_id": "f", "at": NOW, "traceparent": ""}
    later = event(Put(box="b", amount=1), "later")
    later |= {"type": "choreography.intent.v1", "source": "desk", "data": wish}
    assert await running.deliver(later, topic="desk-intents") == [True]
    assert not running.bank.keys
    assert [bool(one.quarantined) for one in running.sidecar.store.outcomes()] == [True]
    counted = await accounts(running.app)
    assert counted["quarantined_inside"] == 1
