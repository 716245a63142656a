"""The delivery route: every message is accounted for by itself, and no message fails another."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from choreography.engine.delivery import LARGEST_READ, Delivery
from choreography.engine.fate import Fate
from choreography.engine.identity import Key
from choreography.runtime.bodies.batches import PACKED
from choreography.sidecar.client import REMINDERS
from choreography.web.app import build_app
from components.pluggable.messages import Delivery as Outgoing
from components.pluggable.packing import packed
from tests.unit.engine.toy import Box, Opened, Put, desk
from tests.unit.runtime.test_driver import event
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ask, batch, ready, until
from tests.unit.web.unreadable_jobs import UNREADABLE_JOBS


@dataclass
class Taking:
    """A running desk, and every delivery that was handed to its engine."""

    app: Any
    sidecar: FakeSidecar
    submitted: list[Delivery] = field(default_factory=list)

    async def bulk(self, topic: str, *events: dict[str, Any]) -> list[str]:
        """Deliver a batch; return the status of each entry."""
        status, answer = await ask(self.app, "POST", "/events", batch(topic, *events))
        assert status == 200
        return [one["status"] for one in answer["statuses"]]

    async def single(self, topic: str, event: dict[str, Any], path: str = "/events") -> str:
        """Deliver one message as a sidecar does that does not parse it."""
        status, answer = await ask(self.app, "POST", path, wrapped(topic, orjson.dumps(event)))
        assert status == 200
        return str(answer["status"])

    def coins(self, box: str) -> int | None:
        """The coins in a box, by the store."""
        record = self.sidecar.store.entities().get(str(Key("desk", Box.kind, box)))
        return record.state["coins"] if record and record.state else None

    def quarantine(self) -> set[str]:
        """The ids of all quarantined records; each must have a reason."""
        return {one.event_id for one in self.sidecar.store.outcomes() if one.quarantined and one.quarantined.reason}

    def metric(self, name: str, wire_type: str = "") -> float:
        """The value of one counter of the service."""
        labels = {"service": "desk"} | ({"type": wire_type} if wire_type else {})
        return self.app.metrics.registry.get_sample_value(f"choreography_{name}", labels) or 0.0


def wrapped(topic: str, raw: bytes) -> dict[str, str]:
    """Return one raw message as the sidecar wraps it."""
    return {
        "data_base64": base64.b64encode(raw).decode(),
        "datacontenttype": "application/octet-stream",
        "id": "6f3c1f0e-0000-4000-8000-000000000000",
        "pubsubname": "pubsub",
        "source": "Dapr",
        "specversion": "1.0",
        "topic": topic,
        "type": "com.dapr.event.sent",
    }


@pytest.fixture
async def taking() -> AsyncIterator[Taking]:
    """Start a desk."""
    sidecar, refused = FakeSidecar(), list[str]()
    async with sidecar.listening():
        settings = sidecar.settings(self_check=False, outsides={"bank": "http://127.0.0.1:9"})
        app = build_app(desk, settings, refused.append)
        async with alive(app):
            await until(lambda: ready(app))
            made = Taking(app, sidecar)
            assert app.serving is not None
            pipeline = app.serving.runtime.pipeline
            account = pipeline.account

            async def noted(deliveries: Sequence[Delivery]) -> list[Fate]:
                made.submitted += deliveries
                fates: list[Fate] = await account(deliveries)
                return fates

            pipeline.account = noted  # type: ignore[method-assign] # still the pipeline, only overheard
            yield made
    assert not refused


async def test_a_delivery_says_by_which_topic_it_came(taking: Taking) -> None:
    """On every route the delivery names its topic; the engine judges which events may come by it."""
    put = event(Put(box="b", amount=1), "put")
    assert await taking.bulk(Put.topic, put) == ["SUCCESS"]
    assert await taking.single(Put.topic, put) == "SUCCESS"
    assert await taking.single("desk-undelivered", put, "/undelivered") == "SUCCESS"
    assert [one.topic for one in taking.submitted if one.raw] == [Put.topic, Put.topic, "desk-undelivered"]


async def post(
    app: Any, body: bytes, path: str = "/events", *, headers: Mapping[str, str] | None = None, cut: bool = False
) -> tuple[int, Any]:
    """Send one request in parts, cut off if asked; return the status, 0 if there was no answer."""
    sent: list[dict[str, Any]] = []
    parts = [body[start : start + 65536] for start in range(0, len(body), 65536)] or [b""]
    coming = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if cut:
        coming.append({"type": "http.disconnect"})
    else:
        coming[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    given = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    await app({"type": "http", "method": "POST", "path": path, "headers": given}, receive, send)
    text = b"".join(message.get("body", b"") for message in sent)
    return (int(sent[0]["status"]), orjson.loads(text)) if sent else (0, None)


def entry(entry_id: str, raw: bytes, **more: Any) -> dict[str, Any]:
    """Return one entry of a batch as the sidecar writes it."""
    return {"entryId": entry_id, "event": base64.b64encode(raw).decode(), "metadata": None, **more}


def put(box: str) -> bytes:
    """Return a sound event about a box."""
    return orjson.dumps(event(Put(box=box, amount=1), f"put-{box}"))


def as_the_sidecar_does(topic: str, *entries: dict[str, Any], **more: Any) -> bytes:
    """Return a batch as the sidecar writes it, whose members are sorted: the topic comes behind the entries."""
    batch = {"entries": entries, "id": "1", "metadata": {}, "pubsubname": "pubsub", "topic": topic, "type": "bulk"}
    batch |= more
    return orjson.dumps(batch)


async def test_entries_that_are_too_large_fail_no_batch(taking: Taking) -> None:
    """The batch exceeds 32 MiB: the large entries are quarantined, the others settled."""
    huge = [b'{"n":%d,"padding":"' % number + b"x" * 1_000_000 + b'"}' for number in range(30)]
    numbers = range(30)
    entries = [entry(f"h{one}", huge[one]) for one in numbers] + [entry(f"g{one}", put(f"b{one}")) for one in numbers]
    status, answer = await post(taking.app, as_the_sidecar_does(Put.topic, *entries))
    assert status == 200
    assert [one["entryId"] for one in answer["statuses"]] == [one["entryId"] for one in entries]
    assert {one["status"] for one in answer["statuses"]} == {"SUCCESS"}
    assert [taking.coins(f"b{number}") for number in range(30)] == [1] * 30
    assert taking.quarantine() == {f"sha256:{hashlib.sha256(one).hexdigest()}" for one in huge}
    assert {one.topic for one in taking.submitted} == {Put.topic}


async def test_what_is_too_large_is_a_repeat_when_it_comes_again(taking: Taking) -> None:
    """In a batch, alone, or as undelivered by the sidecar, it has one record and one letter."""
    huge = b"x" * 2_000_000
    for _ in range(2):
        assert await post(taking.app, as_the_sidecar_does(Put.topic, entry("0", huge))) == statuses_of("0")
        assert await post(taking.app, orjson.dumps(wrapped(Put.topic, huge))) == (200, {"status": "SUCCESS"})
        undelivered = orjson.dumps(wrapped("desk-undelivered", huge))
        assert await post(taking.app, undelivered, "/undelivered") == (200, {"status": "SUCCESS"})
    assert len(taking.quarantine()) == 1
    assert len({letter["id"] for topic, letter in taking.sidecar.published if topic == "desk-dead-letters"}) == 1


async def test_what_could_not_be_handed_over_comes_in_batches(taking: Taking) -> None:
    """Each message is quarantined by itself, with metadata of any size, and is a repeat next time."""
    many = {f"x-{number}": "y" * 1000 for number in range(40)}
    raws = [b"", b"hello", put("a"), b"x" * 2_000_000]
    entries = [entry(str(place), raw, metadata=many) for place, raw in enumerate(raws)]
    for _ in range(2):
        body = as_the_sidecar_does("desk-undelivered", *entries)
        assert await post(taking.app, body, "/undelivered") == statuses_of("0", "1", "2", "3")
        assert (taking.coins("a"), len(taking.quarantine())) == (None, 4)


HOSTILE_EVENTS = {
    "nothing": b"",
    "no JSON": b"hello",
    "gzip": gzip.compress(b"{}"),
    "invalid UTF-8": b'{"id":"\xff"}',
    "a lone surrogate": rb'{"id":"\ud800"}',
    "NUL": b"\x00" * 100,
    "depth": b"[" * 100_000,
    "a list": b"[]",
    "null": b"null",
    "a byte more than is read": b'"' + b"x" * LARGEST_READ,
    "a type that is a list": b'{"specversion":"1.0","id":"1","type":[]}',
}


@pytest.mark.parametrize("raw", HOSTILE_EVENTS.values(), ids=HOSTILE_EVENTS.keys())
async def test_a_hostile_event_is_set_aside_by_itself(taking: Taking, raw: bytes) -> None:
    """In a batch or alone, it is acknowledged, since it would fail the same way for ever."""
    body = as_the_sidecar_does(Put.topic, entry("0", put("a")), entry("1", raw), entry("2", put("b")))
    assert await post(taking.app, body) == statuses_of("0", "1", "2")
    assert (taking.coins("a"), taking.coins("b"), len(taking.quarantine())) == (1, 1, 1)
    assert await post(taking.app, orjson.dumps(wrapped(Put.topic, raw))) == (200, {"status": "SUCCESS"})
    assert len(taking.quarantine()) == 1
    assert taking.metric("deliveries_total") == 4


GOOD = b'{"entryId":"good","event":%s}' % orjson.dumps(base64.b64encode(put("a")).decode())
HOSTILE_ENTRIES = {
    "no object": (b"5", []),
    "null": (b"null", []),
    "a list": (b"[[]]", []),
    "no id": (b'{"event":"e30="}', [""]),
    "a null id": (b'{"entryId":null,"event":"e30="}', [""]),
    "an id that is a number": (b'{"entryId":5,"event":"e30="}', ["5"]),
    "no event": (b'{"entryId":"1"}', ["1"]),
    "a number as its event": (b'{"entryId":"1","event":5}', ["1"]),
    "an event that is no base64": (b'{"entryId":"1","event":"???"}', ["1"]),
    "a lone surrogate": (rb'{"entryId":"1","event":"\ud800"}', ["1"]),
    "a lone surrogate as its id": (rb'{"entryId":"\ud800","event":"e30="}', [""]),
    "invalid UTF-8": (b'{"entryId":"1","event":"\xff"}', ["1"]),
    "depth": (b'{"entryId":"1","event":' + b"[" * 3000 + b"]" * 3000 + b"}", ["1"]),
    "metadata that is a list": (b'{"entryId":"1","event":"e30=","metadata":[1]}', ["1"]),
    "empty": (b"{}", [""]),
}


@pytest.mark.parametrize(("hostile", "ids"), HOSTILE_ENTRIES.values(), ids=HOSTILE_ENTRIES.keys())
async def test_a_hostile_entry_is_set_aside_by_itself(taking: Taking, hostile: bytes, ids: list[str]) -> None:
    """Its neighbour is settled, and it is answered by its id if it has one."""
    body = b'{"entries":[' + hostile + b"," + GOOD + b'],"topic":"coins.put"}'
    assert await post(taking.app, body) == statuses_of(*ids, "good")
    assert (taking.coins("a"), len(taking.quarantine())) == (1, 1)
    assert taking.metric("deliveries_total") == 2


HOSTILE_BODIES = {
    "nothing": b"",
    "no JSON": b"hello",
    "gzip": gzip.compress(as_the_sidecar_does(Put.topic)),
    "a text": b'"hello"',
    "a list": b"[1]",
    "an empty object": b"{}",
    "entries that are no list": b'{"entries":{"0":{}},"topic":"coins.put"}',
    "entries that are null": b'{"entries":null}',
    "no end": b'{"entries":[',
    "depth": b'{"a":' * 50_000,
    "two bodies": as_the_sidecar_does(Put.topic) * 2,
    "two megabytes of nothing": b" " * 2_000_000,
    "two megabytes of brackets": b"[" * 2_000_000,
    "two megabytes in a key": b'{"' + b"k" * 2_000_000 + b'":1}',
    "two megabytes of a text": b'"' + b"t" * 2_000_000,
}


@pytest.mark.parametrize("body", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES.keys())
async def test_a_hostile_body_is_set_aside(taking: Taking, body: bytes) -> None:
    """It is answered and reported by a letter; the second time it is a repeat."""
    for _ in range(2):
        assert (await post(taking.app, body))[0] == 200
        assert len(taking.quarantine()) == 1


async def test_what_stood_before_the_damage_in_a_batch_is_settled(taking: Taking) -> None:
    """The sidecar redelivers unanswered entries, and a letter reports the damage."""
    body = b'{"topic":"coins.put","entries":[' + GOOD + b',{"entryId":"2","event":["e30="}]}'
    assert await post(taking.app, body) == statuses_of("good")
    assert (taking.coins("a"), len(taking.quarantine())) == (1, 1)


async def test_a_damaged_batch_whose_topic_is_unknown_answers_none_of_its_entries(taking: Taking) -> None:
    """Types are bound to topics, so no event runs whose topic is unknown."""
    assert await post(taking.app, b'{"entries":[' + GOOD + b",") == (200, {"statuses": []})
    assert (taking.coins("a"), len(taking.quarantine())) == (None, 1)


@pytest.mark.parametrize("body", UNREADABLE_JOBS.values(), ids=UNREADABLE_JOBS.keys())
@pytest.mark.parametrize("name", ["due-1", "somebody-elses", f"{REMINDERS}1"])
async def test_a_job_that_cannot_be_read_is_set_aside(taking: Taking, name: str, body: bytes) -> None:
    """Otherwise it would be fired again for ever; the second time it is a repeat."""
    for _ in range(2):
        assert (await post(taking.app, body, f"/job/{name}"))[0] == 200
        assert len(taking.quarantine()) == 1


STRANGE_DEADLINES: list[Any] = [None, 5, [], {}, "", "no JSON", '"text"', {"id": "1"}, True, 1.5]


async def test_what_is_unreadable_in_a_job_holds_up_no_deadline_beside_it(taking: Taking) -> None:
    """Each has a record, and the rest of the job does not matter."""
    assert await taking.bulk(Opened.topic, event(Opened(box="b"), "opened")) == ["SUCCESS"]
    [sound] = taking.sidecar.jobs[0]["data"]["events"]
    besides: list[dict[str, Any]] = [{}, {"more": 1}, {"value": {}}]
    for more in besides:
        job = orjson.dumps({"events": [*STRANGE_DEADLINES, sound], **more})
        assert await post(taking.app, job, "/job/due-1") == (200, {"fired": len(STRANGE_DEADLINES) + 1})
    assert len(taking.quarantine()) == len(STRANGE_DEADLINES)
    assert len({said["id"] for topic, said in taking.sidecar.published if topic == "box.reminded"}) == 1


@pytest.mark.parametrize("size", [100, 3_000_000])
@pytest.mark.parametrize("path", ["/events", "/undelivered", "/job/one"])
async def test_a_request_that_breaks_off_gets_no_answer(taking: Taking, size: int, path: str) -> None:
    """No client is left to read it; the entries are redelivered."""
    body = as_the_sidecar_does(Put.topic, entry("0", b"x" * size))
    assert await post(taking.app, body[:-9], path, cut=True) == (0, None)
    assert not taking.quarantine()


async def test_of_two_entries_with_one_id_both_are_settled(taking: Taking) -> None:
    """An entry's id comes from the sidecar, and says nothing about the event."""
    body = as_the_sidecar_does(Put.topic, entry("0", put("a")), entry("0", put("b")))
    assert await post(taking.app, body) == statuses_of("0", "0")
    assert (taking.coins("a"), taking.coins("b")) == (1, 1)


def pack(entry_id: str, *raw: bytes, **more: Any) -> dict[str, Any]:
    """Return one entry that holds several messages, as our own components write it."""
    delivery = packed("1", [Outgoing(str(place), one) for place, one in enumerate(raw)])
    return entry(entry_id, delivery.data, contentType=delivery.content_type, **more)


@pytest.mark.parametrize("streamed", [False, True], ids=["at once", "as a stream"])
async def test_every_message_of_a_pack_is_settled_by_itself(taking: Taking, streamed: bool) -> None:
    """Valid ones run, one that is no event is quarantined, and the pack is answered once all are done."""
    more = {"padding": "x" * 2_000_000} if streamed else {}
    poison = b"\xff no event"
    body = as_the_sidecar_does(Put.topic, pack("0", put("a"), poison, put("b")), pack("1", put("c")), **more)
    status, answer = await post(taking.app, body)
    assert status == 200
    assert {(one["entryId"], one["status"]) for one in answer["statuses"]} == {("0", "SUCCESS"), ("1", "SUCCESS")}
    assert [taking.coins(box) for box in "abc"] == [1, 1, 1]
    assert taking.quarantine() == {f"sha256:{hashlib.sha256(poison).hexdigest()}"}


async def test_a_pack_of_which_one_message_is_not_done_comes_again(taking: Taking) -> None:
    """A pack cannot be acknowledged in part; the settled messages are repeats then."""
    taking.sidecar.will("commit", "500 before", times=40)
    body = as_the_sidecar_does(Put.topic, pack("0", put("a"), put("b")))
    status, answer = await post(taking.app, body)
    assert status == 200
    assert {one["status"] for one in answer["statuses"]} == {"RETRY"}
    taking.sidecar.faults.clear()
    assert await post(taking.app, body) == statuses_of("0", "0")
    assert [taking.coins(box) for box in "ab"] == [1, 1]


@pytest.mark.parametrize(
    "raw", [b"no JSON", b"[]", b"{}", b'{"entries": []}', b'{"entries": {"a": 1}}', b'{"entries": [1]}']
)
async def test_what_only_claims_to_be_a_pack_is_set_aside(taking: Taking, raw: bytes) -> None:
    """It is also answered, because otherwise the sidecar would redeliver it for ever."""
    body = as_the_sidecar_does(Put.topic, entry("0", raw, contentType=PACKED), entry("1", put("a")))
    assert await post(taking.app, body) == statuses_of("0", "1")
    assert len(taking.quarantine()) == 1
    assert taking.coins("a") == 1


async def test_a_great_number_of_entries_is_settled_in_groups(taking: Taking) -> None:
    """At most as many are in hand at once as one commit takes."""
    entries = [entry(str(number), put(f"b{number % 10}"), more="x" * 2000) for number in range(1000)]
    assert await post(taking.app, as_the_sidecar_does(Put.topic, *entries)) == statuses_of(*map(str, range(1000)))
    assert [taking.coins(f"b{number}") for number in range(10)] == [1] * 10


async def test_data_in_base64_is_what_an_event_says_and_not_the_event(taking: Taking) -> None:
    """On every route, the sidecar's wrapping of bytes is distinguished from a publisher's by its author."""
    for number, send in enumerate((_bulk_raw, _bulk_structured, _single_raw, _single_structured)):
        said = event(Put(box=f"b{number}", amount=1), f"put-{number}")
        said["data_base64"] = base64.b64encode(orjson.dumps(said.pop("data"))).decode()
        assert (await post(taking.app, orjson.dumps(send(said))))[0] == 200
        assert taking.coins(f"b{number}") == 1
    assert not taking.quarantine()


def _bulk_raw(said: dict[str, Any]) -> dict[str, Any]:
    return {"entries": [entry("0", orjson.dumps(said))], "topic": Put.topic}


def _bulk_structured(said: dict[str, Any]) -> dict[str, Any]:
    return {"entries": [{"entryId": "0", "event": said}], "topic": Put.topic}


def _single_raw(said: dict[str, Any]) -> dict[str, Any]:
    return wrapped(Put.topic, orjson.dumps(said))


def _single_structured(said: dict[str, Any]) -> dict[str, Any]:
    return said | {"topic": Put.topic, "pubsubname": "pubsub"}


async def test_the_time_of_an_event_without_one_is_what_its_broker_says(taking: Taking) -> None:
    """Dapr's components put it beside the entry in a batch, or in the request's headers."""
    now = datetime.now(UTC)
    kafka = {"__timestamp": str(int(now.timestamp() * 1000))}
    said = event(Put(box="a", amount=1), "put-a")
    del said["time"]
    assert await post(taking.app, as_the_sidecar_does(Put.topic, entry("0", orjson.dumps(said), metadata=kafka)))
    said |= {"id": "put-b", "data": {"box": "b", "amount": 1}}
    assert await post(taking.app, orjson.dumps(wrapped(Put.topic, orjson.dumps(said))), headers=kafka)
    said |= {"id": "put-c", "data": {"box": "c", "amount": 1}}
    assert await post(taking.app, orjson.dumps(wrapped(Put.topic, orjson.dumps(said))))
    assert (taking.coins("a"), taking.coins("b"), taking.coins("c"), len(taking.quarantine())) == (1, 1, None, 1)


async def test_a_type_that_nobody_hears_is_counted(taking: Taking) -> None:
    """Alone or in a batch, it is acknowledged, neither run nor quarantined, and counted."""
    said = {"specversion": "1.0", "id": "1", "source": "shop", "type": "com.dapr.event.sent", "data": "x"}
    strange = orjson.dumps(said)
    body = as_the_sidecar_does(Put.topic, entry("0", strange), entry("1", put("a")))
    assert await post(taking.app, body) == statuses_of("0", "1")
    assert await post(taking.app, orjson.dumps(wrapped(Put.topic, strange))) == (200, {"status": "SUCCESS"})
    assert taking.metric("ignored_total", "com.dapr.event.sent") == 2
    assert taking.metric("deliveries_total") == 3
    assert not taking.quarantine()


async def test_ignored_types_do_not_make_the_metrics_grow_without_end(taking: Taking) -> None:
    """Publishers choose the types."""
    for number in range(60):
        taking.app.metrics.ignored(f"strange.{number}.v1")
    assert taking.metric("ignored_total", "strange.49.v1") == 1
    assert taking.metric("ignored_total", "other") == 10


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b"5", b'{"value":5', b"x" * 40_000_000], ids=len)
async def test_a_job_that_no_release_can_read_is_set_aside(taking: Taking, body: bytes) -> None:
    """Otherwise it would be fired for ever, since no later release can read it."""
    for _ in range(2):
        assert (await post(taking.app, body, "/job/one"))[0] == 200
        assert len(taking.quarantine()) == 1


def statuses_of(*ids: str) -> tuple[int, Any]:
    """Return the answer to a batch whose entries are all done."""
    return 200, {"statuses": [{"entryId": one, "status": "SUCCESS"} for one in ids]}
