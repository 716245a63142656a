"""The actions of a subscription on its queue, seen from the queue."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from components.eventbridge.routes import Line, Routes
from components.eventbridge.settings import Settings
from components.eventbridge.subscription import Subscription
from tests.components.waiting import eventually

SETTINGS = Settings(consumer="order", region="eu-west-1", visibility_timeout=30, provision=False)


class Sqs:
    """A queue with two messages."""

    def __init__(self) -> None:
        self.waiting = ["1", "2"]
        self.deleted: list[str] = []
        self.shown: list[tuple[str, int]] = []

    async def get_queue_url(self, **_: Any) -> dict[str, Any]:
        """Where it is."""
        return {"QueueUrl": "queue"}

    async def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        """What it is called."""
        return {"Attributes": {"QueueArn": "arn"}}

    async def receive_message(self, **_: Any) -> dict[str, Any]:
        """Hand out everything, then wait."""
        if not self.waiting:
            await asyncio.Event().wait()
        taken, self.waiting = self.waiting, []
        told = {"Attributes": {"ApproximateReceiveCount": "3"}}
        return {"Messages": [{"MessageId": one, "ReceiptHandle": one, "Body": one, **told} for one in taken]}

    async def delete_message_batch(self, **arguments: Any) -> dict[str, Any]:
        """Forget messages."""
        self.deleted += [entry["ReceiptHandle"] for entry in arguments["Entries"]]
        return {}

    async def change_message_visibility_batch(self, **arguments: Any) -> None:
        """Show messages later."""
        self.shown += [(entry["ReceiptHandle"], entry["VisibilityTimeout"]) for entry in arguments["Entries"]]


class Aws:
    """Stands for the connection."""

    def __init__(self) -> None:
        self.sqs = Sqs()


def _subscription(aws: Aws, running: asyncio.Event) -> Subscription:
    line = Line(Routes(aws, SETTINGS))  # type: ignore[arg-type] # stands for it
    return Subscription(aws, SETTINGS, "orders", "", running=running, line=line)  # type: ignore[arg-type] # stands for it


@pytest.fixture
def running() -> asyncio.Event:
    """The sidecar wants messages."""
    event = asyncio.Event()
    event.set()
    return event


async def test_what_was_not_acknowledged_is_given_back_when_the_stream_ends(running: asyncio.Event) -> None:
    """Unacknowledged messages return at once, for other replicas; acknowledged ones are deleted."""
    aws = Aws()
    subscription = _subscription(aws, running)
    async with aclosing(subscription.deliveries()) as deliveries:
        delivery = await anext(deliveries)
        assert delivery.data == b"1"
        await subscription.answered(delivery.id, None)
    assert aws.sqs.deleted == ["1"]
    assert aws.sqs.shown == [("2", 0)]


async def test_what_failed_comes_again_later_each_time(running: asyncio.Event) -> None:
    """A handler that always fails must not cause constant work."""
    aws = Aws()
    subscription = _subscription(aws, running)
    async with aclosing(subscription.deliveries()) as deliveries:
        delivery = await anext(deliveries)
        await subscription.answered(delivery.id, "no")
        await eventually(lambda: bool(aws.sqs.shown))
        assert aws.sqs.shown == [("1", 4)]
    assert aws.sqs.deleted == []


async def test_nothing_new_is_delivered_while_the_sidecar_pauses(running: asyncio.Event) -> None:
    """It still takes answers."""
    aws = Aws()
    subscription = _subscription(aws, running)
    async with aclosing(subscription.deliveries()) as deliveries:
        delivery = await anext(deliveries)
        running.clear()
        second = asyncio.ensure_future(anext(deliveries))
        await subscription.answered(delivery.id, None)
        await eventually(lambda: aws.sqs.deleted == ["1"])
        assert not second.done()
        running.set()
        assert (await second).data == b"2"
