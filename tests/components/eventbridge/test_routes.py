"""Published events reach every subscriber, whether or not bus, rule and queue existed before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from components.eventbridge import routes, subscription
from components.eventbridge.aws import Aws
from components.eventbridge.names import former_name
from components.eventbridge.queues import left_in
from components.eventbridge.settings import read_settings
from tests.components.eventbridge.emulated import File, emulated_aws, served
from tests.components.eventbridge.pod import Pod
from tests.components.waiting import eventually, eventually_told

SIXTY = [str(number).encode() for number in range(60)]


@pytest.fixture(scope="module")
async def pod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pod]:
    """One emulator for all tests; each has a bus of its own."""
    async with emulated_aws(tmp_path_factory.mktemp("aws")) as pod:
        yield pod


@pytest.fixture
async def component() -> AsyncIterator[Any]:
    """One component for each test."""
    async with served() as component:
        yield component


@pytest.fixture
async def file(component: Any, pod: Pod) -> AsyncIterator[Callable[..., File]]:
    """Makes component files."""
    made: list[File] = []

    def make(name: str, **settings: str) -> File:
        made.append(File(component, pod, name, **settings))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_nothing_is_lost_on_a_fresh_bus_that_is_published_after_subscribing(file: Callable[..., File]) -> None:
    """A sidecar counts as subscribed as soon as it has requested a subscription."""
    order = file("pubsub", busName="fresh")
    await order.init()
    await order.subscribe("orders")
    for event in SIXTY[:20]:
        await order.publish("orders", event)
    await order.publish_all("orders", SIXTY[20:])
    await eventually(lambda: len(order.heard) >= 60)
    assert sorted(order.heard) == sorted(SIXTY)


async def test_a_publish_that_overtakes_the_subscription_before_it_is_heard(file: Callable[..., File]) -> None:
    """Calls of one connection may be handled out of order; no event is delivered twice."""
    order = file("pubsub", busName="overtaken")
    await order.init()
    await order.publish("orders", b"overtakes")
    await order.subscribe("orders")
    await order.publish("orders", b"waits")
    await eventually(lambda: len(order.heard) >= 2)
    await asyncio.sleep(1)
    assert sorted(order.heard) == [b"overtakes", b"waits"]


async def test_two_files_on_two_buses_hear_each_their_own(file: Callable[..., File], pod: Pod) -> None:
    """They share neither a queue nor the policy of their dead letter queue."""
    files = {bus: file(bus, busName=bus) for bus in ("north", "south")}
    for one in files.values():
        await one.init()
        await one.subscribe("orders")
    for bus, one in files.items():
        await one.publish("orders", bus.encode())
    for bus, one in files.items():
        await eventually(lambda one=one: bool(one.heard))  # type: ignore[misc] # mypy cannot infer its default
        assert one.heard == [bus.encode()]
    async with pod.client("sqs") as sqs:
        url = (await sqs.get_queue_url(QueueName="order-dead-letters"))["QueueUrl"]
        answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    [statement] = json.loads(answer["Attributes"]["Policy"])["Statement"]
    assert statement["Condition"]["ArnLike"]["aws:SourceArn"].endswith(":rule/*")


async def test_two_files_that_would_change_the_rule_of_each_other_are_told(file: Callable[..., File]) -> None:
    """They differ only in the pattern, so they would share a queue; an equal pattern is a replica's."""
    one, other = file("one", busName="shared"), file("other", busName="shared")
    await one.init()
    await other.init()
    await one.subscribe("orders")
    await one.publish("orders", b"heard")
    await eventually(lambda: one.heard == [b"heard"])
    await other.subscribe("orders", pattern=json.dumps({"source": ["aws.s3"]}))
    with pytest.raises(grpc.aio.AioRpcError, match="Give one of the two component files a consumerID"):
        await other.ended()


async def test_a_publisher_makes_the_rules_of_whoever_may_hear_its_topics(file: Callable[..., File], pod: Pod) -> None:
    """If its file says so, an app that starts later misses nothing."""
    scopes = {"provisionSubscribers": "true", "subscriptionScopes": "billing=orders,other; shipping=orders"}
    order = file("pubsub", busName="scoped", **scopes)
    await order.init()
    await order.publish("orders", b"early")
    async with served() as of_billing:
        billing = File(of_billing, pod, "pubsub", busName="scoped", consumerID="billing", **scopes)
        await billing.init()
        await billing.subscribe("orders")
        await eventually(lambda: bool(billing.heard))
        assert billing.heard == [b"early"]
        await billing.close()


async def _delete_bus(pod: Pod, bus: str) -> None:
    async with pod.client("events") as events:
        for rule in (await events.list_rules(EventBusName=bus))["Rules"]:
            targets = (await events.list_targets_by_rule(EventBusName=bus, Rule=rule["Name"]))["Targets"]
            await events.remove_targets(EventBusName=bus, Rule=rule["Name"], Ids=[one["Id"] for one in targets])
            await events.delete_rule(EventBusName=bus, Name=rule["Name"])
        await events.delete_event_bus(Name=bus)


async def test_a_bus_that_was_deleted_is_made_again_with_all_that_was_on_it(file: Callable[..., File]) -> None:
    """The next publisher makes it again, and no subscription loses an event, its own or another's."""
    order = file("pubsub", busName="deleted")
    await order.init()
    await order.subscribe("orders")
    await order.publish("orders", b"before")
    await eventually(lambda: order.heard == [b"before"])
    await _delete_bus(order.pod, "deleted")
    await order.publish("orders", b"after")
    await eventually(lambda: b"after" in order.heard)
    assert order.heard == [b"before", b"after"]


async def test_a_publisher_that_never_subscribes_makes_a_deleted_bus_again(file: Callable[..., File], pod: Pod) -> None:
    """It also makes the rules of the allowed consumers."""
    scopes = {"provisionSubscribers": "true", "subscriptionScopes": "billing=orders"}
    order = file("pubsub", busName="forgotten", **scopes)
    await order.init()
    await order.publish("orders", b"before")
    await _delete_bus(pod, "forgotten")
    await order.publish("orders", b"after")
    settings = read_settings(order.settings).of("billing")
    async with Aws(settings) as aws:
        assert await left_in(aws, settings, "orders") == (2, 0)


async def test_a_bus_that_may_not_be_made_is_told_in_a_sentence(file: Callable[..., File], pod: Pod) -> None:
    """The message comes when the sidecar starts, or, after a later deletion, with the publish that would be lost."""
    order = file("pubsub", busName="absent", provision="false")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await order.init()
    assert failure.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "The event bus 'absent' is not in" in str(failure.value.details())
    async with pod.client("events") as events:
        await events.create_event_bus(Name="absent")
    await order.init()
    await order.publish("orders", b"fine")
    await _delete_bus(pod, "absent")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await order.publish("orders", b"lost")
    assert "nothing can be published to it" in str(failure.value.details())


async def test_a_rule_that_was_deleted_is_made_again(
    file: Callable[..., File], pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue does not show that its rule is gone, so the component must check."""
    monkeypatch.setattr(subscription, "_LOOKS_EVERY", 0.2)
    order = file("pubsub", busName="unruled")
    await order.init()
    await order.subscribe("orders")
    await order.publish("orders", b"before")
    async with pod.client("events") as events:
        [rule] = (await events.list_rules(EventBusName="unruled"))["Rules"]
        await events.remove_targets(EventBusName="unruled", Rule=rule["Name"], Ids=["queue"])
        await events.delete_rule(EventBusName="unruled", Name=rule["Name"])

        async def is_there() -> bool:
            return bool((await events.list_rules(EventBusName="unruled"))["Rules"])

        await eventually_told(is_there)
    await order.publish("orders", b"after")
    await eventually(lambda: order.heard == [b"before", b"after"])


async def test_what_an_app_would_miss_itself_is_not_published(
    file: Callable[..., File], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its own subscription cannot be made, the publish fails with the reason; other topics work."""
    monkeypatch.setattr(routes, "_MADE_WITHIN", 5)
    order = file("pubsub", busName="refused")
    await order.init()
    await order.subscribe("orders", pattern="no JSON")
    await order.publish("payments", b"heard by others")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await order.publish("orders", b"missed")
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "order subscribes to orders, and its rule and queue cannot be made yet" in str(failure.value.details())
    assert "InvalidEventPattern" in str(failure.value.details())


async def test_what_an_earlier_version_left_in_its_queue_is_heard(file: Callable[..., File], pod: Pod) -> None:
    """Its queue had another name and gets no new events, so no event comes twice."""
    order = file("pubsub", busName="moved")
    name = former_name("order", "payments")
    async with pod.client("events") as events, pod.client("sqs") as sqs:
        await events.create_event_bus(Name="moved")
        url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
        arn = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]))["Attributes"]["QueueArn"]
        hears = json.dumps({"source": ["dapr"], "detail-type": ["payments"]})
        await events.put_rule(Name=name, EventBusName="moved", EventPattern=hears)
        await events.put_targets(Rule=name, EventBusName="moved", Targets=[{"Id": "queue", "Arn": arn}])
        detail = json.dumps({"daprText": "left"})
        entry = {"EventBusName": "moved", "Source": "dapr", "DetailType": "payments", "Detail": detail}
        await events.put_events(Entries=[entry])
        settings = read_settings(order.settings)
        async with Aws(settings) as aws:
            assert await left_in(aws, settings, "payments") == (1, 0)
        await order.init()
        await order.subscribe("payments")
        await eventually(lambda: order.heard == [b"left"])

        async def is_replaced() -> bool:
            rule = await events.describe_rule(Name=name, EventBusName="moved")
            return "Replaced" in rule.get("Description", "")

        await eventually_told(is_replaced)
    await order.publish("payments", b"new")
    await eventually(lambda: len(order.heard) >= 2)
    await asyncio.sleep(1.5)
    assert order.heard == [b"left", b"new"]
