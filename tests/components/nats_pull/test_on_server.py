"""The component on a real NATS server, as a sidecar calls it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

from components.nats_pull.names import consumer_name, former_name, stream_name
from components.pluggable.packing import PACKED
from tests.components.nats_pull.server import File, Server, nats_server, numbered, served
from tests.components.waiting import eventually, eventually_told


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One server for all tests that leave it alone; each has topics of its own."""
    async with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
async def component() -> AsyncIterator[Any]:
    """A component of its own for each test."""
    async with served() as component:
        yield component


async def _left(server: Server, topic: str, app: str = "order") -> tuple[int, int]:
    async with server.streams() as streams:
        found = await streams.consumer_info(stream_name(topic), consumer_name(app, topic))
    return found.num_pending or 0, found.num_ack_pending or 0


async def test_what_was_published_before_the_first_subscription_is_heard(server: Server, component: Any) -> None:
    """It is acknowledged, so nothing is left."""
    file = File(component, server)
    await file.init()
    await file.publish("early.one", *numbered(30))
    await file.subscribe("early.one")
    await eventually(lambda: len(file.heard) == 30)
    assert file.data == list(numbered(30))
    await eventually_told(lambda: _is(server, "early.one", (0, 0)))
    await file.close()


async def _is(server: Server, topic: str, left: tuple[int, int]) -> bool:
    return await _left(server, topic) == left


async def test_a_subscription_that_asks_for_packs_gets_many_messages_in_one_delivery(
    server: Server, component: Any
) -> None:
    """A pack has the form of a sidecar's batch, with the bytes as they were published."""
    file = File(component, server)
    await file.init()
    events = [*numbered(40), b"\xff\x00 no text", b"[1, 2"]
    await file.publish("packs", *events)
    await file.subscribe("packs", packMessages="100", rawPayload="true")
    await eventually(lambda: sum(map(_size, file.heard)) == len(events))
    assert any(_size(pack) > 10 for pack in file.heard)
    assert [event for delivery in file.heard for event in _events(delivery)] == events
    await eventually_told(lambda: _is(server, "packs", (0, 0)))
    await file.close()


def _events(delivery: Any) -> list[bytes]:
    if delivery.content_type != PACKED:
        return [delivery.data]
    entries = json.loads(delivery.data)["entries"]
    assert all(int(entry["metadata"]["__timestamp"]) > 0 for entry in entries)
    return [base64.b64decode(entry["event"]) for entry in entries]


def _size(delivery: Any) -> int:
    return len(_events(delivery))


async def test_a_pack_waits_for_the_answer_to_the_one_before_it(server: Server, component: Any) -> None:
    """Meanwhile messages gather, so that the next pack is as large as possible."""
    file = File(component, server)
    await file.init()
    file.gate.clear()
    await file.subscribe("filling", packMessages="50", rawPayload="true")
    await file.publish("filling", b"first")
    await eventually(lambda: len(file.heard) == 1)
    await file.publish("filling", *numbered(80))
    await asyncio.sleep(0.5)
    assert len(file.heard) == 1
    file.gate.set()
    await eventually(lambda: len(file.heard) == 3)
    assert [_size(one) for one in file.heard[1:]] == [50, 30]
    await file.close()


async def test_without_raw_payloads_a_subscription_gets_no_packs(server: Server, component: Any) -> None:
    """The sidecar would take a pack for one event."""
    file = File(component, server)
    await file.init()
    await file.publish("parsed", *numbered(3))
    await file.subscribe("parsed", packMessages="100")
    await eventually(lambda: file.data == list(numbered(3)))
    await file.close()


async def test_what_failed_comes_again_later_and_what_is_beside_it_does_not(server: Server, component: Any) -> None:
    """The server counts the deliveries."""
    file = File(component, server)
    await file.init()
    file.refuses[b"fails twice"] = 2
    await file.subscribe("failing")
    await file.publish("failing", b"fails twice", b"fails never")
    await eventually(lambda: len(file.heard) == 4)
    assert sorted(file.data) == [b"fails never", b"fails twice", b"fails twice", b"fails twice"]
    counts = [one.metadata["deliveryCount"] for one in file.heard if one.data == b"fails twice"]
    assert counts == ["1", "2", "3"]
    await file.close()


async def test_a_message_stays_with_whoever_works_on_it(server: Server, component: Any) -> None:
    """It stays beyond the time-out for abandoned messages, and so do those waiting behind it."""
    file = File(component, server)
    await file.init()
    file.gate.clear()
    await file.subscribe("slow")
    await file.publish("slow", b"slow", b"waits")
    await asyncio.sleep(8)
    file.gate.set()
    await eventually_told(lambda: _is(server, "slow", (0, 0)))
    assert file.data == [b"slow", b"waits"]
    await file.close()


async def test_what_was_not_acknowledged_is_given_back_when_the_stream_ends(server: Server, component: Any) -> None:
    """At once, so that another replica need not wait until it counts as abandoned."""
    file = File(component, server, ackWait="60s")
    await file.init()
    file.gate.clear()
    await file.subscribe("given.back")
    await file.publish("given.back", *numbered(5))
    await eventually(lambda: len(file.heard) == 1)
    await file.close()
    other = File(component, server, name="other", ackWait="60s")
    await other.init()
    await other.subscribe("given.back")
    await eventually(lambda: sorted(other.data) == sorted(numbered(5)), within=10)
    await other.close()


async def test_no_more_is_held_than_the_file_says(server: Server, component: Any) -> None:
    """The others stay for other replicas."""
    file = File(component, server, maxInFlight="8")
    await file.init()
    await file.publish("bounded", *numbered(30))
    file.gate.clear()
    await file.subscribe("bounded")
    await eventually(lambda: len(file.heard) == 1)
    await asyncio.sleep(0.5)
    assert await _left(server, "bounded") == (22, 8)
    file.gate.set()
    await eventually(lambda: len(file.heard) == 30)
    await file.close()


async def test_two_replicas_share_what_waits(server: Server, component: Any) -> None:
    """Each message is handled by one of them."""
    one, two = (File(component, server, name=name, maxInFlight="4") for name in ("one", "two"))
    for file in (one, two):
        await file.init()
        file.gate.clear()
        await file.subscribe("shared")
    await one.publish("shared", *numbered(8))
    await eventually(lambda: bool(one.heard) and bool(two.heard))
    for file in (one, two):
        file.gate.set()
    await eventually(lambda: len(one.heard) + len(two.heard) == 8)
    assert sorted(one.data + two.data) == sorted(numbered(8))
    for file in (one, two):
        await file.close()


async def test_nothing_new_is_delivered_while_the_sidecar_pauses(server: Server, component: Any) -> None:
    """A sidecar pauses before it ends."""
    file = File(component, server)
    await file.init()
    await file.subscribe("paused")
    await file.publish("paused", b"before")
    await eventually(lambda: file.data == [b"before"])
    await file.pause()
    await file.publish("paused", b"while")
    await asyncio.sleep(0.5)
    assert file.data == [b"before"]
    await file.resume()
    await eventually(lambda: file.data == [b"before", b"while"])
    await file.close()


async def test_a_server_that_dies_loses_neither_what_was_taken_nor_what_waits(tmp_path: Path, component: Any) -> None:
    """Messages in hand come again, or are acknowledged, once the server is back; streams stay open."""
    async with nats_server(tmp_path) as server:
        file = File(component, server)
        await file.init()
        file.gate.clear()
        await file.subscribe("outlived")
        await file.publish("outlived", *numbered(10))
        await eventually(lambda: len(file.heard) == 1)
        await server.process.kill()
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await file.publish("outlived", b"lost")
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
        file.gate.set()
        await server.process.start()
        await server.process.until_ready()
        await eventually(lambda: set(file.data) == set(numbered(10)))
        async with asyncio.timeout(30):
            while True:
                try:
                    await file.publish("outlived", b"after")
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.2)
        await eventually(lambda: b"after" in file.data)
        await eventually_told(lambda: _is(server, "outlived", (0, 0)))
        await file.close()


async def test_a_consumer_that_was_deleted_is_made_again(server: Server, component: Any) -> None:
    """It starts from the beginning and misses nothing: services recognise repeats."""
    file = File(component, server)
    await file.init()
    await file.subscribe("deleted")
    await file.publish("deleted", b"one")
    await eventually(lambda: file.data == [b"one"])
    async with server.streams() as streams:
        await streams.delete_consumer("deleted", consumer_name("order", "deleted"))
    await file.publish("deleted", b"two")
    await eventually(lambda: file.data[-1] == b"two", within=90)
    await file.close()


async def test_the_same_bytes_are_stored_once_and_other_bytes_of_the_same_id_are_not_dropped(
    server: Server, component: Any
) -> None:
    """A repeat has the same bytes; an event with its id and other content must be delivered."""
    file = File(component, server)
    await file.init()
    event, other = b'{"specversion":"1.0","id":"1","data":1}', b'{"specversion":"1.0","id":"1","data":2}'
    plain = b'{"tick": 1}'
    for one in (event, event, other, plain, plain):
        await file.publish("repeated", one)
    await file.subscribe("repeated")
    await eventually(lambda: len(file.heard) == 4)
    assert file.data == [event, other, plain, plain]
    await file.close()


async def test_what_fails_too_often_is_kept_in_the_dead_letter_topic(server: Server, component: Any) -> None:
    """It is kept with the reason, and is not delivered any more."""
    file = File(component, server, maxDeliver="2", deadLetterTopic="dead.letters")
    await file.init()
    file.refuses[b"poison"] = 1000
    await file.subscribe("poisoned")
    await file.publish("poisoned", b"poison", b"good")

    async def kept() -> bool:
        async with server.streams() as streams:
            return any(one.config.name == "dead_letters" and one.state.messages for one in await streams.streams_info())

    await eventually_told(kept)
    async with server.streams() as streams:
        letter = await streams.get_msg("dead_letters", 1)
    assert letter.data == b"poison"
    assert (letter.headers or {})["Topic"] == "poisoned"
    assert (letter.headers or {})["Reason"] == "not now"
    await eventually_told(lambda: _is(server, "poisoned", (0, 0)))
    assert file.data.count(b"poison") == 2
    await file.close()


async def test_what_a_sidecar_could_not_take_is_not_sent_to_it(tmp_path: Path, component: Any) -> None:
    """Otherwise the sidecar would stop; its neighbours arrive, and the publisher of the large one gets an error."""
    async with nats_server(tmp_path, "max_payload: 8388608") as server:
        file = File(component, server)
        await file.init()
        await file.subscribe("large")
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await file.publish("large", b"x" * 5_000_000)
        assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "Put what is large elsewhere" in str(failure.value.details())
        async with server.streams() as streams:
            await streams.publish("large", b"y" * 5_000_000)
        await file.publish("large", b"z" * 3_000_000, b"small")
        await eventually(lambda: len(file.heard) == 2)
        assert [len(one) for one in file.data] == [3_000_000, 5]
        await file.close()


async def test_a_bulk_that_fails_in_part_fails_as_a_whole_and_names_what_failed(tmp_path: Path, component: Any) -> None:
    """A sidecar that gets a list of failures without an error tells its app that everything was published."""
    async with nats_server(tmp_path, "max_payload: 65536") as server:
        file = File(component, server)
        await file.init()
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await file.publish("partly", b"small", b"x" * 100_000)
        assert "1 of 2 events were not published" in str(failure.value.details())
        assert "1: " in str(failure.value.details())


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (StreamConfig(storage=StorageType.MEMORY), "kept in memory"),
        (StreamConfig(retention=RetentionPolicy.WORK_QUEUE), "keeps messages by workqueue"),
        (StreamConfig(retention=RetentionPolicy.INTEREST), "keeps messages by interest"),
        (StreamConfig(max_msgs=10), "max_msgs=10"),
        (StreamConfig(max_age=60.0), "older than 60 s"),
        (StreamConfig(no_ack=True), "acknowledges no publish"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_nothing_is_published_to_a_stream_that_would_lose_it(
    server: Server, component: Any, config: StreamConfig, sentence: str
) -> None:
    """The stream existed before; the message says what to change."""
    topic = "unfit." + "".join(letter for letter in sentence if letter.isalnum())
    async with server.streams() as streams:
        await streams.add_stream(config.evolve(name=stream_name(topic), subjects=[topic]))
    file = File(component, server)
    await file.init()
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await file.publish(topic, b"x")
    assert sentence in str(failure.value.details())
    assert "would lose messages as it is" in str(failure.value.details())


async def test_a_consumer_that_gives_messages_up_is_not_pulled_from_until_it_is_mended(
    server: Server, component: Any
) -> None:
    """The stream to the sidecar stays open meanwhile, as it would not be opened again."""
    name = consumer_name("order", "giving-up")
    async with server.streams() as streams:
        await streams.add_stream(StreamConfig(name="giving-up", subjects=["giving-up"]))
        config = ConsumerConfig(durable_name=name, ack_policy=AckPolicy.EXPLICIT, max_deliver=3)
        await streams.add_consumer("giving-up", config)
        file = File(component, server)
        await file.init()
        await file.publish("giving-up", b"x")
        await file.subscribe("giving-up")
        await asyncio.sleep(1)
        assert file.heard == []
        await streams.delete_consumer("giving-up", name)
    await eventually(lambda: file.data == [b"x"], within=30)
    await file.close()


async def test_what_the_component_of_dapr_has_acknowledged_is_not_heard_again(server: Server, component: Any) -> None:
    """So a running flow changes its component by its file alone."""
    async with server.streams() as streams:
        await streams.add_stream(StreamConfig(name="moved", subjects=["moved"]))
        for number in range(3):
            await streams.publish("moved", f"{number}".encode())
        name = former_name("order", "moved")
        pushed = await streams.subscribe("moved", durable=name, queue=name, manual_ack=True)
        for _ in range(2):
            await (await pushed.next_msg()).ack_sync()
    file = File(component, server)
    await file.init()
    await file.subscribe("moved")
    await eventually(lambda: file.data == [b"2"])
    await file.close()


async def test_without_provision_what_is_missing_is_named(server: Server, component: Any) -> None:
    """An operator who makes streams by other means wants to know which one is missing."""
    file = File(component, server, provision="false")
    await file.init()
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await file.publish("forgotten", b"x")
    assert "The stream 'forgotten' is not there" in str(failure.value.details())
