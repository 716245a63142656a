"""The plainest pub/sub component that there can be: it keeps everything in memory, in order. And some that are broken.

Dapr's suite must pass with it and fail with them, or its verdict about another component means nothing. One that gives
up the order is not among them: the suite (1.18.3) compares a message with the one before it until the first failure,
which it makes itself at the first message.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from components.pluggable.proto import common_pb2, pubsub_pb2, pubsub_pb2_grpc


class Plain(pubsub_pb2_grpc.PubSubServicer):
    """Delivers published events to each subscriber, one after another, until they are acknowledged."""

    def __init__(self) -> None:
        self._queues: dict[str, list[asyncio.Queue[bytes]]] = defaultdict(list)

    async def Init(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - named by the proto
        """Accept any settings."""
        return pubsub_pb2.PubSubInitResponse()

    async def Features(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Declare support for bulks."""
        return common_pb2.FeaturesResponse(features=["BULK_PUBSUB"])

    async def Ping(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Answer."""
        return common_pb2.PingResponse()

    async def Publish(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Publish one event."""
        await self._put(request.topic, [request.data])
        return pubsub_pb2.PublishResponse()

    async def BulkPublish(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Publish events."""
        await self._put(request.topic, [entry.event for entry in request.entries])
        return pubsub_pb2.BulkPublishResponse()

    async def PullMessages(self, requests: Any, context: Any) -> None:  # noqa: ARG002, N802 - read by the context
        """Deliver, one message at a time."""
        topic = (await context.read()).topic.name
        queue = asyncio.Queue[bytes]()
        self._queues[topic].append(queue)
        try:
            for delivery in itertools.count():
                data = await queue.get()
                await context.write(pubsub_pb2.PullMessagesResponse(id=str(delivery), data=data, topic_name=topic))
                if (answer := await context.read()) is grpc.aio.EOF:
                    return
                if answer.HasField("ack_error"):
                    queue.put_nowait(data)
        finally:
            self._queues[topic].remove(queue)

    async def _put(self, topic: str, events: Sequence[bytes]) -> None:
        # A publish may overtake the subscription before it, by a moment.
        await asyncio.sleep(0.2)
        for queue in self._queues[topic]:
            for event in self._kept(events):
                queue.put_nowait(event)

    def _kept(self, events: Sequence[bytes]) -> Sequence[bytes]:
        return events


class Losing(Plain):
    """Loses every seventh event."""

    def __init__(self) -> None:
        super().__init__()
        self._count = itertools.count(1)

    def _kept(self, events: Sequence[bytes]) -> Sequence[bytes]:
        return [event for event in events if next(self._count) % 7]


class LosingOfBulks(Plain):
    """Loses the last event of a bulk."""

    def _kept(self, events: Sequence[bytes]) -> Sequence[bytes]:
        return events[:-1] if len(events) > 1 else events


class Changing(Plain):
    """Changes the events that it delivers."""

    def _kept(self, events: Sequence[bytes]) -> Sequence[bytes]:
        return [event.replace(b"1", b"2") for event in events]


class Repeating(Plain):
    """Delivers acknowledged events a second time."""

    def _kept(self, events: Sequence[bytes]) -> Sequence[bytes]:
        return [event for event in events for _ in range(2)]


@asynccontextmanager
async def served(component: Plain) -> AsyncIterator[Path]:
    """Serve a component, and yield its socket."""
    with tempfile.TemporaryDirectory(prefix="plain-") as folder:
        socket = Path(folder) / "plain.sock"
        server = grpc.aio.server()
        pubsub_pb2_grpc.add_PubSubServicer_to_server(component, server)  # type: ignore[no-untyped-call] # generated
        server.add_insecure_port(f"unix:{socket}")
        await server.start()
        yield socket
        await server.stop(None)
