"""The gRPC service through which a sidecar uses the component."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, NoReturn

import grpc

from .errors import ComponentError, CredentialsError, SettingsError, UnfitError
from .instance import Instance, Subscription
from .log import LOG
from .messages import Failure, Outgoing
from .proto import common_pb2, pubsub_pb2, pubsub_pb2_grpc

FEATURES: Final = (
    "BULK_PUBSUB",  # the sidecar passes whole bulk publishes
    "BULK_SUBSCRIBE_IMMEDIATE",  # no wait for a full batch: a sidecar takes one message at a time anyway
)
_INSTANCE: Final = "x-component-instance"
_CODES: Final = {
    SettingsError: grpc.StatusCode.INVALID_ARGUMENT,
    CredentialsError: grpc.StatusCode.UNAUTHENTICATED,
    UnfitError: grpc.StatusCode.FAILED_PRECONDITION,
}


class PubSubService(pubsub_pb2_grpc.PubSubServicer):
    """Serves the component files of one sidecar, each under the name in its calls."""

    def __init__(self, open_: Callable[[str, Mapping[str, str]], Awaitable[Instance]]) -> None:
        """Serve.

        Args:
            open_: connects with the settings of the file of this name. It raises a ComponentError if every call would
                fail; a broker that does not answer is no error.
        """
        self._open = open_
        self._instances: dict[str, Instance] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def Init(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the proto
        """Read settings, and refuse those with which the broker would refuse every call.

        The broker may be away: a sidecar whose component fails to start ends itself.
        """
        name = _name(context)
        try:
            instance = await self._open(name, dict(request.metadata.properties))
        except SettingsError as error:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"The file of {name!r} cannot be used: {error}")
        except ComponentError as error:
            await _abort(context, _code_of(error), f"{name!r} cannot start: {error}")
        before = self._instances.get(name)
        if before and before.consumer != instance.consumer and not before.is_over:
            await instance.close()
            await _abort(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                f"This process serves {before.consumer!r} already, and cannot tell its calls from those of "
                f"{instance.consumer!r}. Give each sidecar a process and a sockets folder of its own.",
            )
        self._instances[name] = instance
        if before:
            self._retire(before)
        LOG.info("%s %s", name, instance.about)
        return pubsub_pb2.PubSubInitResponse()

    async def Features(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Return the work that the sidecar may leave to the component."""
        return common_pb2.FeaturesResponse(features=FEATURES)

    async def Ping(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Answer. This process is alive whether the broker answers or not."""
        return common_pb2.PingResponse()

    async def Pause(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Deliver no new messages, but accept answers, so that a sidecar can finish its deliveries."""
        (await self._instance(context)).running.clear()
        return pubsub_pb2.PauseResponse()

    async def Resume(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Deliver new messages again."""
        (await self._instance(context)).running.set()
        return pubsub_pb2.ResumeResponse()

    async def Publish(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Publish one event."""
        instance = await self._instance(context)
        failures = await instance.publish([Outgoing(request.topic, request.data, request.content_type)])
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
        failures = await instance.publish(
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
        """Deliver one topic until the sidecar closes the stream. It opens the stream once: nothing else may end it."""
        instance = await self._instance(context)
        with instance.counted(), instance.stream() as stream:
            first = await context.read()
            if first is grpc.aio.EOF or not first.topic.name:
                sentence = "The first message of a stream must name a topic."
                await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, sentence)
            topic = first.topic.name
            others = [other for other in self._instances.values() if other is not instance]
            try:
                subscription = stream.begin(topic, dict(first.topic.metadata), others)
            except ComponentError as error:
                await _abort(context, _code_of(error), str(error))
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
        """Close every connection to the broker, after the streams have ended."""
        for instance in self._instances.values():
            self._retire(instance)
        self._instances.clear()
        await asyncio.gather(*self._closing)

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
        async for delivery in deliveries:
            await context.write(
                pubsub_pb2.PullMessagesResponse(
                    id=delivery.id,
                    data=delivery.data,
                    topic_name=topic,
                    content_type=delivery.content_type,
                    metadata=delivery.metadata,
                )
            )


async def _take_answers(subscription: Subscription, context: Any) -> None:
    while (answer := await context.read()) is not grpc.aio.EOF:
        error = answer.ack_error.message or "no reason was told" if answer.HasField("ack_error") else None
        await subscription.answered(answer.ack_message_id, error)


def _name(context: Any) -> str:
    told = dict(context.invocation_metadata() or ())
    return str(told.get(_INSTANCE, ""))


def _code(failures: Iterable[Failure]) -> Any:
    lasting = any(failure.lasting for failure in failures)
    return grpc.StatusCode.INVALID_ARGUMENT if lasting else grpc.StatusCode.UNAVAILABLE


def _code_of(error: ComponentError) -> Any:
    return _CODES.get(type(error), grpc.StatusCode.INTERNAL)


async def _abort(context: Any, code: Any, sentence: str) -> NoReturn:
    LOG.error(sentence)
    await context.abort(code, sentence)
    raise AssertionError
