"""The gRPC service by which a sidecar uses the component."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final, NoReturn

import grpc

from .account import see_account
from .aws import LOG
from .errors import BusError, ComponentError, CredentialsError, SettingsError
from .instance import Instance
from .names import subscription_name
from .proto import common_pb2, pubsub_pb2, pubsub_pb2_grpc
from .publishing import Outgoing
from .settings import read_settings
from .subscription import Subscription

FEATURES: Final = (
    "BULK_PUBSUB",  # the sidecar hands over whole bulk publishes
    "BULK_SUBSCRIBE_IMMEDIATE",  # it does not wait for a batch to fill: it takes one message at a time from us anyway
)
_INSTANCE: Final = "x-component-instance"
_CODES: Final = {
    SettingsError: grpc.StatusCode.INVALID_ARGUMENT,
    CredentialsError: grpc.StatusCode.UNAUTHENTICATED,
    BusError: grpc.StatusCode.FAILED_PRECONDITION,
}


class PubSubService(pubsub_pb2_grpc.PubSubServicer):
    """Serves the component files of one sidecar, each under the name that its calls carry."""

    def __init__(self) -> None:
        self._instances: dict[str, Instance] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def Init(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the proto
        """Take settings, and refuse those with which AWS would refuse every call.

        AWS need not be there: a sidecar whose component fails to start ends itself.
        """
        name = _name(context)
        try:
            settings = read_settings(dict(request.metadata.properties))
        except SettingsError as error:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"The file of {name!r} cannot be used: {error}")
        before = self._instances.get(name)
        if before and before.settings.consumer != settings.consumer and not before.is_over:
            await _abort(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                f"This process serves {before.settings.consumer!r} already, and cannot tell its calls from those of "
                f"{settings.consumer!r}. Give each sidecar a process and a sockets folder of its own.",
            )
        instance = await Instance.open(settings)
        try:
            await see_account(instance.aws, settings)
        except ComponentError as error:
            await instance.close()
            await _abort(context, _CODES.get(type(error), grpc.StatusCode.INTERNAL), f"{name!r} cannot start: {error}")
        self._instances[name] = instance
        if before:
            self._retire(before)
        LOG.info("%s publishes to bus %s and subscribes as %s", name, settings.bus, settings.consumer)
        return pubsub_pb2.PubSubInitResponse()

    async def Features(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Say what the sidecar may leave to the component."""
        return common_pb2.FeaturesResponse(features=FEATURES)

    async def Ping(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Answer. Whether AWS answers is no matter of life and death of this process."""
        return common_pb2.PingResponse()

    async def Pause(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Deliver nothing new, and go on taking answers, so that a sidecar can finish what it has."""
        (await self._instance(context)).running.clear()
        return pubsub_pb2.PauseResponse()

    async def Resume(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Deliver again."""
        (await self._instance(context)).running.set()
        return pubsub_pb2.ResumeResponse()

    async def Publish(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Publish one event."""
        instance = await self._instance(context)
        failures = await instance.publisher.publish([Outgoing(request.topic, request.data, request.content_type)])
        if failures:
            await _abort(context, _code(failures.values()), failures[0].why)
        return pubsub_pb2.PublishResponse()

    async def BulkPublish(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Publish many events.

        Events that failed make the whole call fail, with a text that names them. The response has a list for them,
        but a sidecar (Dapr 1.18) that gets the list without an error tells its app that everything was published.
        """
        instance = await self._instance(context)
        entries: Sequence[Any] = request.entries
        failures = await instance.publisher.publish(
            [Outgoing(request.topic, entry.event, entry.content_type) for entry in entries]
        )
        if failures:
            told = " ".join(
                f"{entries[place].entry_id}: {failure.why}" for place, failure in list(failures.items())[:10]
            )
            await _abort(
                context,
                _code(failures.values()),
                f"{len(failures)} of {len(entries)} events were not published; publish all again. {told}",
            )
        return pubsub_pb2.BulkPublishResponse()

    async def PullMessages(self, requests: Any, context: Any) -> None:  # noqa: ARG002, N802 - read by the context
        """Deliver one topic, until the sidecar closes the stream. It opens it once, so nothing else may end it."""
        instance = await self._instance(context)
        with instance.stream() as line:
            first = await context.read()
            if first is grpc.aio.EOF or not first.topic.name:
                sentence = "The first message of a stream must name a topic."
                await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, sentence)
            topic, pattern = first.topic.name, first.topic.metadata.get("eventPattern", "")
            if sentence := self._shares(subscription_name(instance.settings, topic), pattern):
                await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, sentence)
            line.hears(topic, pattern)
            subscription = Subscription(
                instance.aws, instance.settings, topic, pattern, running=instance.running, line=line
            )
            tasks = [
                asyncio.create_task(_deliver(subscription, topic, context)),
                asyncio.create_task(_take_answers(subscription, context)),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                LOG.info("%s is heard no more", topic)

    async def close(self) -> None:
        """Close every connection to AWS, after the streams have ended."""
        for instance in self._instances.values():
            self._retire(instance)
        self._instances.clear()
        await asyncio.gather(*self._closing)

    def _shares(self, name: str, pattern: str) -> str:
        """Say why a queue cannot be heard, if another stream hears something else from it."""
        for other in self._instances.values():
            for line in other.routes.open_lines:
                if line.topic and subscription_name(other.settings, line.topic) == name and line.pattern != pattern:
                    heard = f"the event pattern {line.pattern}" if line.pattern else "what is published to it"
                    return (
                        f"{line.topic} is heard already, by {heard}, and one rule cannot hear something else, too. "
                        "Give one of the two component files a consumerID of its own."
                    )
        return ""

    def _retire(self, instance: Instance) -> None:
        task = asyncio.create_task(instance.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _instance(self, context: Any) -> Instance:
        name = _name(context)
        if name not in self._instances:
            await _abort(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                f"{name!r} was not initialized: this component was started again under a sidecar that knew it before. "
                "Restart the sidecar.",
            )
        return self._instances[name]


async def _deliver(subscription: Subscription, topic: str, context: Any) -> None:
    async with aclosing(subscription.deliveries()) as deliveries:
        async for delivery, message, taken in deliveries:
            await context.write(
                pubsub_pb2.PullMessagesResponse(
                    id=delivery,
                    data=message.data,
                    topic_name=topic,
                    content_type=message.content_type,
                    metadata={
                        **message.metadata,
                        "messageId": taken.message_id,
                        "receiveCount": str(taken.receives),
                    },
                )
            )


async def _take_answers(subscription: Subscription, context: Any) -> None:
    while (answer := await context.read()) is not grpc.aio.EOF:
        error = answer.ack_error.message or "no reason was told" if answer.HasField("ack_error") else None
        await subscription.answered(answer.ack_message_id, error)


def _name(context: Any) -> str:
    told = dict(context.invocation_metadata() or ())
    return str(told.get(_INSTANCE, ""))


def _code(failures: Any) -> Any:
    lasting = any(failure.lasting for failure in failures)
    return grpc.StatusCode.INVALID_ARGUMENT if lasting else grpc.StatusCode.UNAVAILABLE


async def _abort(context: Any, code: Any, sentence: str) -> NoReturn:
    LOG.error(sentence)
    await context.abort(code, sentence)
    raise AssertionError
