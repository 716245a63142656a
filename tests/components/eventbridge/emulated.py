"""An emulated AWS in a process, and the component in this process, so that its pauses can be set."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc

from choreography.up.processes import Processes
from components.eventbridge.instance import open_instance
from components.pluggable.proto import common_pb2, pubsub_pb2, pubsub_pb2_grpc
from components.pluggable.service import PubSubService
from tests.components.eventbridge.pod import ACCOUNT, Pod


@asynccontextmanager
async def emulated_aws(folder: Path, **environment: str) -> AsyncIterator[Pod]:
    """Run the emulator for as long as the block lasts; nothing else of the pod runs."""
    with tempfile.TemporaryDirectory(prefix="eb-") as sockets:
        async with Processes() as processes:
            pod = Pod(folder, Path(sockets), processes)
            program = pod.aws()
            [process] = processes.wave([replace(program, environment={**program.environment, **environment})])
            try:
                await process.start()
                await process.until_ready()
                yield pod
            finally:
                await processes.stop_all()
                pod.ports.release()


@asynccontextmanager
async def served() -> AsyncIterator[Any]:
    """A component of its own, as a sidecar calls it."""
    with tempfile.TemporaryDirectory(prefix="eb-") as folder:
        server, service = grpc.aio.server(), PubSubService(open_instance)
        pubsub_pb2_grpc.add_PubSubServicer_to_server(service, server)  # type: ignore[no-untyped-call] # generated
        server.add_insecure_port(f"unix:{folder}/s")
        await server.start()
        async with grpc.aio.insecure_channel(f"unix:{folder}/s") as channel:
            yield pubsub_pb2_grpc.PubSubStub(channel)  # type: ignore[no-untyped-call] # generated
        await server.stop(None)
        await service.close()


class File:
    """One component file of one sidecar, with the events that it publishes and consumes."""

    def __init__(self, component: Any, pod: Pod, name: str, **settings: str) -> None:
        self.pod = pod
        self._component, self._called = component, (("x-component-instance", name),)
        credentials = {"accessKey": ACCOUNT["AWS_ACCESS_KEY_ID"], "secretKey": ACCOUNT["AWS_SECRET_ACCESS_KEY"]}
        self.settings = {**pod.settings(), "region": "eu-west-1", "consumerID": "order", **credentials, **settings}
        self.heard: list[bytes] = []
        self._listening: list[asyncio.Task[None]] = []

    async def init(self) -> None:
        """Hand over the settings, as a sidecar does when it starts."""
        told = {name: value for name, value in self.settings.items() if value}
        metadata = common_pb2.MetadataRequest(properties=told)
        await self._component.Init(pubsub_pb2.PubSubInitRequest(metadata=metadata), metadata=self._called)

    async def subscribe(self, topic: str, pattern: str = "") -> None:
        """Open a stream, and return as soon as it was requested, as a sidecar does."""
        told = {"eventPattern": pattern} if pattern else {}
        stream = self._component.PullMessages(metadata=self._called)
        await stream.write(pubsub_pb2.PullMessagesRequest(topic=pubsub_pb2.Topic(name=topic, metadata=told)))
        self._listening.append(asyncio.create_task(self._listen(stream)))

    async def publish(self, topic: str, data: bytes) -> None:
        """Publish one event."""
        await self._component.Publish(pubsub_pb2.PublishRequest(topic=topic, data=data), metadata=self._called)

    async def publish_all(self, topic: str, events: Sequence[bytes]) -> None:
        """Publish events in one call."""
        entries = [pubsub_pb2.BulkMessageEntry(entry_id=str(at), event=one) for at, one in enumerate(events)]
        await self._component.BulkPublish(
            pubsub_pb2.BulkPublishRequest(topic=topic, entries=entries), metadata=self._called
        )

    async def ended(self) -> None:
        """Wait until the component ends a stream, which it does with an error only."""
        await asyncio.gather(*self._listening)

    async def close(self) -> None:
        """End all subscriptions."""
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)

    async def _listen(self, stream: Any) -> None:
        try:
            while (message := await stream.read()) is not grpc.aio.EOF:
                self.heard.append(message.data)
                await stream.write(pubsub_pb2.PullMessagesRequest(ack_message_id=message.id))
        finally:
            stream.cancel()
