"""A real NATS server, and the component as a sidecar calls it, for as long as a block lasts."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import nats
import pytest
from nats.js import JetStreamContext

from choreography.up.ports import Ports
from choreography.up.probes import http_ready
from choreography.up.processes import Process, Processes, Program
from components.nats_pull.instance import open_instance
from components.pluggable.proto import common_pb2, pubsub_pb2, pubsub_pb2_grpc
from components.pluggable.server import UNLIMITED
from components.pluggable.service import PubSubService


class Server:
    """The server, and a client that inspects it without the component."""

    def __init__(self, folder: Path, process: Process, port: int) -> None:
        self.folder, self.process, self.url = folder, process, f"nats://127.0.0.1:{port}"

    @asynccontextmanager
    async def streams(self, **login: Any) -> AsyncIterator[JetStreamContext]:
        """Look at its streams."""
        client = await nats.connect(self.url, allow_reconnect=False, **login)
        try:
            yield client.jetstream()
        finally:
            await client.close()


@asynccontextmanager
async def nats_server(folder: Path, more: str = "") -> AsyncIterator[Server]:
    """Run a server on loopback, with more lines of its configuration."""
    program = shutil.which("nats-server")
    if program is None:
        pytest.fail("nats-server is not here. Install it: apt-get install nats-server")
    ports = Ports(folder / "ports.json")
    port, monitoring = ports.of("nats"), ports.of("monitoring")
    configuration = folder / "nats.conf"
    configuration.write_text(
        f'listen: "127.0.0.1:{port}"\nhttp: "127.0.0.1:{monitoring}"\n'
        f'jetstream {{\n  store_dir: "{folder / "data"}"\n}}\n{more}\n'
    )
    async with Processes() as processes:
        [process] = processes.wave(
            [
                Program(
                    name="nats",
                    command=[program, "--config", str(configuration)],
                    log=folder / "nats.log",
                    ready=lambda: http_ready(f"http://127.0.0.1:{monitoring}/healthz"),
                )
            ]
        )
        try:
            await process.start()
            await process.until_ready()
            yield Server(folder, process, port)
        finally:
            await processes.stop_all()
            ports.release()


@asynccontextmanager
async def served() -> AsyncIterator[Any]:
    """A component of its own, as a sidecar calls it."""
    with tempfile.TemporaryDirectory(prefix="np-") as folder:
        server, service = grpc.aio.server(options=UNLIMITED), PubSubService(open_instance)
        pubsub_pb2_grpc.add_PubSubServicer_to_server(service, server)  # type: ignore[no-untyped-call] # generated
        server.add_insecure_port(f"unix:{folder}/s")
        await server.start()
        async with grpc.aio.insecure_channel(
            f"unix:{folder}/s", options=[("grpc.max_send_message_length", -1)]
        ) as channel:
            yield pubsub_pb2_grpc.PubSubStub(channel)  # type: ignore[no-untyped-call] # generated
        await server.stop(None)
        await service.close()


class File:
    """One component file of one sidecar: what it publishes, and what it hears.

    Attributes:
        heard: the messages that came, in order, as the sidecar gets them.
        refuses: how often each message is answered with an error before it is acknowledged.
        gate: while it is closed, nothing is answered.
    """

    def __init__(self, component: Any, server: Server, name: str = "pubsub", **settings: str) -> None:
        self._component, self._called = component, (("x-component-instance", name),)
        self.settings = {"natsURL": server.url, "consumerID": "order", "ackWait": "5s", **settings}
        self.heard: list[Any] = []
        self.refuses: dict[bytes, int] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self._listening: list[asyncio.Task[None]] = []

    @property
    def data(self) -> list[bytes]:
        """Return the bytes of the delivered messages."""
        return [message.data for message in self.heard]

    async def init(self) -> None:
        """Hand over the settings, as a sidecar does when it starts."""
        told = {name: value for name, value in self.settings.items() if value}
        metadata = common_pb2.MetadataRequest(properties=told)
        await self._component.Init(pubsub_pb2.PubSubInitRequest(metadata=metadata), metadata=self._called)

    async def pause(self) -> None:
        """Ask for no new messages."""
        await self._component.Pause(pubsub_pb2.PauseRequest(), metadata=self._called)

    async def resume(self) -> None:
        """Ask for messages again."""
        await self._component.Resume(pubsub_pb2.ResumeRequest(), metadata=self._called)

    async def subscribe(self, topic: str, **metadata: str) -> None:
        """Open a stream, and return as soon as it was asked for, as a sidecar does."""
        stream = self._component.PullMessages(metadata=self._called)
        await stream.write(pubsub_pb2.PullMessagesRequest(topic=pubsub_pb2.Topic(name=topic, metadata=metadata)))
        self._listening.append(asyncio.create_task(self._listen(stream)))

    async def publish(self, topic: str, *events: bytes) -> None:
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
                self.heard.append(message)
                await self.gate.wait()
                await stream.write(self._answer(message))
        finally:
            stream.cancel()

    def _answer(self, message: Any) -> Any:
        left = self.refuses.get(message.data, 0)
        self.refuses[message.data] = left - 1
        if left <= 0:
            return pubsub_pb2.PullMessagesRequest(ack_message_id=message.id)
        error = pubsub_pb2.AckMessageError(message="not now")
        return pubsub_pb2.PullMessagesRequest(ack_message_id=message.id, ack_error=error)


def numbered(count: int, word: str = "event") -> Sequence[bytes]:
    """Return events that differ, each with an id of its own."""
    return [f'{{"specversion":"1.0","id":"{word}-{number}"}}'.encode() for number in range(count)]
