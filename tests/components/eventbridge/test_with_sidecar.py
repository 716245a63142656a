"""The component beneath a real sidecar, on an emulated AWS that speaks real HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.components.eventbridge.pod import ACCOUNT, BUS, Pod, queue_of, running
from tests.components.waiting import eventually

TOPICS = ("orders", "bytes", "failing", "slow", "poison", "foreign", "outage", "early", "reopened")
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
async def pod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pod]:
    """One pod for all tests; each has a topic of its own."""
    async with running(tmp_path_factory.mktemp("pod"), TOPICS) as pod:
        await pod.subscribed(TOPICS)
        yield pod


async def test_a_bulk_publish_arrives_whole(pod: Pod) -> None:
    """This holds also when it needs several calls of AWS."""
    events = [json.dumps({"number": number, "price": 1.0}) for number in range(25)]
    status, text = await pod.publish_bulk("orders", events)
    assert status == 204, text
    await eventually(lambda: len(pod.app.data("orders")) >= 25)
    assert sorted(pod.app.data("orders")) == sorted(event.encode() for event in events)


@pytest.mark.parametrize(
    "data",
    [b"\x00\xff\xfe not text", '{"a": 1.0,  "b":"\u00fc\u2028"}'.encode(), b"[9007199254740993]", b"x" * 250_000],
)
async def test_bytes_arrive_as_they_were_published(pod: Pod, data: bytes) -> None:
    """This includes blanks, large numbers, and bytes that are not text."""
    await pod.publish("bytes", data)
    await eventually(lambda: data in pod.app.data("bytes"))


async def test_what_an_app_could_not_handle_is_delivered_again(pod: Pod) -> None:
    """Only the failed message comes again, after growing pauses."""
    pod.app.failures[b"fails once"] = 1
    await pod.publish("failing", b"fails once")
    await pod.publish("failing", b"fails never")
    await eventually(lambda: len(pod.app.data("failing")) == 2)
    told = {data: metadata["receiveCount"] for topic, data, metadata in pod.app.heard if topic == "failing"}
    assert told == {b"fails never": "1", b"fails once": "2"}


async def test_a_message_stays_with_whoever_works_on_it(pod: Pod) -> None:
    """It stays beyond the time-out for abandoned messages, and so do those waiting behind it."""
    pod.app.delays[b"slow"] = 8
    for data in (b"slow", b"waits"):
        await pod.publish("slow", data)
    await eventually(lambda: len(pod.app.data("slow")) == 2)
    await asyncio.sleep(6)
    assert sorted(pod.app.data("slow")) == [b"slow", b"waits"]


async def test_what_no_app_can_handle_ends_in_the_dead_letter_queue(pod: Pod) -> None:
    """The queue keeps the whole event."""
    pod.app.failures[b"poison"] = 1000
    await pod.publish("poison", b"poison")
    async with pod.client("sqs") as sqs:
        url = (await sqs.get_queue_url(QueueName="listener-dead-letters"))["QueueUrl"]
        messages: list[dict[str, str]] = []
        async with asyncio.timeout(40):
            while not messages:
                answer = await sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)
                messages = answer.get("Messages", [])
    assert json.loads(messages[0]["Body"])["detail"]["daprText"] == "poison"


async def test_an_event_of_another_publisher_is_heard_by_its_pattern(pod: Pod) -> None:
    """The app gets all of it, as EventBridge wrote it."""
    async with pod.client("events") as events:
        detail = {"bucket": "b"}
        entry = {"EventBusName": BUS, "Source": "not.dapr", "DetailType": "Made", "Detail": json.dumps(detail)}
        await events.put_events(Entries=[entry])
    await eventually(lambda: bool(pod.app.data("foreign")))
    assert json.loads(pod.app.data("foreign")[0])["detail"] == detail


async def test_an_event_that_is_too_large_is_refused_in_a_sentence(pod: Pod) -> None:
    """One such event in a bulk makes the sidecar report all, as otherwise it would report none."""
    status, text = await pod.post("publish/pubsub/orders?metadata.rawPayload=true", b"x" * 300_000, "text/plain")
    assert status == 500
    assert "Put what is large elsewhere" in text
    status, text = await pod.publish_bulk("nobody", ["small", "x" * 300_000])
    assert status == 500
    failed = json.loads(text)["failedEntries"]
    assert [entry["entryId"] for entry in failed] == ["0", "1"]
    assert "1 of 2 events were not published" in failed[0]["error"]


async def test_a_frozen_aws_is_outlived(pod: Pod) -> None:
    """The stream to the sidecar stays open, and what is published meanwhile arrives."""
    pod.process("aws").pause()
    publishing = asyncio.create_task(pod.publish("outage", b"during"))
    await asyncio.sleep(3)
    pod.process("aws").resume()
    await publishing
    await eventually(lambda: pod.app.data("outage") == [b"during"])


async def test_what_is_published_before_the_first_subscription_is_not_lost(pod: Pod) -> None:
    """Queue and rule must be made beforehand."""
    asked = {"settings": pod.settings(), "subscriptions": [["later", "early"]]}
    provision = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "components.eventbridge", "provision"],
        cwd=ROOT,
        env=ACCOUNT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await provision.communicate(json.dumps(asked).encode())
    assert told.decode() == f"EventBridge rule and queue {queue_of('early', 'later')} on bus {BUS}\n"
    await pod.publish("early", b"nobody listens yet")
    async with pod.client("sqs") as sqs:
        url = (await sqs.get_queue_url(QueueName=queue_of("early", "later")))["QueueUrl"]
        [message] = (await sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5))["Messages"]
    assert json.loads(message["Body"])["detail"]["daprText"] == "nobody listens yet"


async def test_a_component_that_crashed_lets_its_sidecar_begin_anew(pod: Pod) -> None:
    """The sidecar opens its streams once, so it must be started again to hear anything."""
    pod.process("sidecar").may_end()
    await pod.process("component").kill()
    await pod.process("component").start()
    await eventually(lambda: not pod.process("sidecar").running)
    await pod.process("sidecar").start()
    await pod.process("sidecar").until_ready()
    await pod.publish("reopened", b"again")
    await eventually(lambda: pod.app.data("reopened") == [b"again"])


async def test_queues_that_are_gone_are_made_again(pod: Pod) -> None:
    """An emulator that is restarted has forgotten everything; the component has not."""
    await pod.process("aws").kill()
    await asyncio.sleep(3)
    await pod.process("aws").start()
    await pod.process("aws").until_ready()
    await pod.subscribed(TOPICS)
    await pod.publish("outage", b"after")
    await eventually(lambda: b"after" in pod.app.data("outage"))
