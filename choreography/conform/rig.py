"""Sidecars on a component under test, each with an app, started anew for every case."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from choreography.broker_names import of_topic
from choreography.conform.app import RecordingApp
from choreography.conform.result import NotMetError, NotShownError
from choreography.engine.records import Outgoing
from choreography.provision import BrokerLayout, provision
from choreography.render.components import subscription_metadata_in
from choreography.settings import Settings
from choreography.sidecar.client import SidecarClient
from choreography.topics import PUBSUB, PUBSUB_OF_TOPIC
from choreography.up import probes
from choreography.up.brokers.broker import SOCKETS_FOLDER
from choreography.up.ports import Ports
from choreography.up.processes import Process, Processes, Program
from choreography.up.sidecars import Addresses

_SCOPES: Final = {"publishingScopes", "subscriptionScopes", "allowedTopics", "protectedTopics"}


@dataclass
class Bench:
    """The parts that all cases of one component share.

    Attributes:
        daprd: the sidecar's program.
        component: the component under test, as read; its name may be a pattern with ``{topic}``.
        resiliency: the policies that are tested together with it.
        environment: the variables for its ``envRef``.
        address: its address, for provisioning; nothing is provisioned if empty.
        server: the server's process, if the kit may stop it.
        folder: the folder for files and logs.
        patience: seconds after which an event that did not happen counts as never happening.
        beside: makes the process through which a sidecar uses the component, if the component is not part of the
            sidecar.
        forgets: the reason why the server must not be killed, if it keeps nothing on disk.
    """

    daprd: Path
    component: dict[str, Any]
    resiliency: dict[str, Any]
    environment: Mapping[str, str]
    address: str
    server: Process | None
    folder: Path
    patience: float = 150.0
    beside: Callable[[str], Program] | None = None
    forgets: str = ""

    def server_to_kill(self) -> Process:
        """Return the server, if the kit may kill it.

        Raises:
            NotShownError: another program started it, or it keeps nothing on disk.
        """
        if self.server is None:
            raise NotShownError("the server is not ours to stop")
        if self.forgets:
            raise NotShownError(self.forgets)
        return self.server


@dataclass
class ReplicaUnderTest:
    """One app with its sidecar."""

    name: str
    addresses: Addresses
    process: Process
    sidecar: SidecarClient
    app: RecordingApp
    patience: float
    beside: Process | None = None

    async def start(self) -> None:
        """Start the app and its sidecar, and wait until both are connected."""
        await self.start_app()
        if self.beside is not None:
            await self.beside.start()
            await self.beside.until_ready()
        await self.process.start()
        await self.process.until_ready()

    async def start_app(self) -> None:
        """Listen again."""
        if self.addresses.app is not None:
            await self.app.listen(self.name, self.addresses.app)

    async def publish(self, topic: str, *texts: str, key: str = "one") -> frozenset[int]:
        """Publish in bulk, the way services do. Return the indices of the rejected messages."""
        return await self.sidecar.publish([Outgoing(topic, key, text) for text in texts])

    async def publish_all(self, topic: str, texts: Sequence[str], key: str = "one") -> None:
        """Publish until all messages are accepted, a hundred at once.

        Raises:
            NotMetError: some messages were not accepted within the patience.
        """
        left, began = list(texts), time.monotonic()
        while left:
            failed = await self.publish(topic, *left[:100], key=key)
            left = [text for index, text in enumerate(left[:100]) if index in failed] + left[100:]
            if time.monotonic() - began > self.patience:
                raise NotMetError(f"{len(left)} of {len(texts)} could not be published within {self.patience:.0f} s")
            if failed:
                await asyncio.sleep(0.2)

    async def publish_bytes(self, pubsub: str, topic: str, raw: bytes) -> int:
        """Publish bytes that may be no text, and return the HTTP status."""
        headers = {"dapr-api-token": self.addresses.api_token, "content-type": "application/octet-stream"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(
                f"{self.addresses.url}/v1.0/publish/{pubsub}/{topic}?metadata.rawPayload=true", data=raw
            ) as answer,
        ):
            return answer.status


@dataclass
class Rig:
    """The sidecars of one case."""

    bench: Bench
    processes: Processes
    ports: Ports
    app_id: str
    topic: str
    pubsub: str
    app: RecordingApp = field(default_factory=RecordingApp)
    _made: list[ReplicaUnderTest] = field(default_factory=list)

    @property
    def dead_letter_topic(self) -> str:
        """The topic for messages that a sidecar cannot deliver."""
        return f"{self.topic}-undelivered"

    async def replica(self, name: str, *, hears: bool = True, **subscription: Any) -> ReplicaUnderTest:
        """Start one replica of the app; a replica that does not subscribe has only a sidecar, to publish."""
        made = self.prepare(name, hears=hears, **subscription)
        await made.start()
        return made

    def prepare(self, name: str, *, hears: bool = True, **subscription: Any) -> ReplicaUnderTest:
        """Make one replica but do not start it."""
        app_id = self.app_id if hears else f"{self.app_id}-says"
        app, http, grpc, internal, metrics = (
            self.ports.of(f"{name}-{part}") for part in ("app", "http", "grpc", "internal", "metrics")
        )
        addresses = Addresses(app_id, app if hears else None, http, grpc, internal, metrics)
        resources = self._write(name, hears=hears, **subscription)
        health = "healthz" if hears else "healthz/outbound"
        told, beside = dict(self.bench.environment), None
        if self.bench.beside is not None:
            component = self.bench.beside(f"{name}-{self.topic}")
            told[SOCKETS_FOLDER] = component.environment[SOCKETS_FOLDER]
            (beside,) = self.processes.wave([component])
        program = Program(
            name=f"{name}-{self.topic}",
            command=addresses.command(self.bench.daprd, [resources], None, None),
            log=self.bench.folder / f"{self.topic}-{name}.log",
            environment=addresses.for_sidecar(told),
            ready=lambda: probes.http_ready(f"{addresses.url}/v1.0/{health}", addresses.api_token),
            starts=4,
        )
        settings = Settings(sidecar=addresses.url, sidecar_token=addresses.api_token, pubsub=self.pubsub)
        (process,) = self.processes.wave([program])
        made = ReplicaUnderTest(
            name, addresses, process, SidecarClient(settings), self.app, self.bench.patience, beside
        )
        self._made.append(made)
        return made

    async def until(self, holds: Callable[[], bool], what: str, patience: float | None = None) -> None:
        """Wait until a condition holds.

        Raises:
            NotMetError: it does not hold within the patience.
        """
        patience = patience or self.bench.patience
        try:
            async with asyncio.timeout(patience):
                while not holds():  # noqa: ASYNC110 - the awaited change happens in other processes
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise NotMetError(f"{what}: not within {patience:.0f} s") from None

    async def until_done(self, texts: Sequence[str], what: str, patience: float | None = None) -> None:
        """Wait until all of these messages were handled."""
        await self.until(lambda: set(texts) <= set(self.app.texts(self.topic)), what, patience)

    async def close(self) -> None:
        """Stop everything."""
        await self.app.close()
        for made in self._made:
            if made.process.running:
                await made.process.kill()
            if made.beside is not None:
                await made.beside.stop()
            await made.sidecar.close()

    def _write(self, name: str, *, hears: bool, **subscription: Any) -> Path:
        folder = self.bench.folder / f"{self.topic}-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        topics = (self.topic, self.dead_letter_topic)
        documents = [self._subscription(topic, subscription) for topic in topics] if hears else []
        (folder / "component.yaml").write_text(yaml.safe_dump_all(self._components(topics)))
        (folder / "resiliency.yaml").write_text(yaml.safe_dump(_without_scopes(self._resiliency(topics))))
        (folder / "subscriptions.yaml").write_text(yaml.safe_dump_all(documents))
        return folder

    def _components(self, topics: Sequence[str]) -> list[dict[str, Any]]:
        text = yaml.safe_dump(_without_scopes(self.bench.component))
        each = [of_topic(text, topic) for topic in topics] if "{topic}" in self.pubsub else [text]
        return [yaml.safe_load(one) for one in each]

    def _resiliency(self, topics: Sequence[str]) -> dict[str, Any]:
        policies: dict[str, Any] = yaml.safe_load(yaml.safe_dump(self.bench.resiliency))
        targets = policies["spec"]["targets"]["components"]
        policy = targets.pop(PUBSUB, {})
        targets |= {self.pubsub.format(topic=topic): policy for topic in topics}
        return policies

    def _subscription(self, topic: str, more: Mapping[str, Any]) -> dict[str, Any]:
        spec: dict[str, Any] = {
            "pubsubname": self.pubsub.format(topic=topic),
            "topic": topic,
            "metadata": {"rawPayload": "true"} | subscription_metadata_in(self.bench.component),
            "routes": {"default": "/events" if topic == self.topic else "/undelivered"},
        }
        if topic == self.topic:
            spec["bulkSubscribe"] = {"enabled": True, "maxMessagesCount": 100, "maxAwaitDurationMs": 1}
            spec["deadLetterTopic"] = self.dead_letter_topic
            spec |= more
        return {
            "apiVersion": "dapr.io/v2alpha1",
            "kind": "Subscription",
            "metadata": {"name": topic},
            "spec": spec,
            "scopes": [self.app_id],
        }


def _without_scopes(resource: dict[str, Any]) -> dict[str, Any]:
    """Remove scopes: the kit's apps are no flow's services; other tests cover permissions."""
    spec = dict(resource["spec"])
    if "metadata" in spec:
        spec["metadata"] = [item for item in spec["metadata"] if item["name"] not in _SCOPES]
    return {key: value for key, value in resource.items() if key != "scopes"} | {"spec": spec}


def _settings(component: Mapping[str, Any]) -> dict[str, str]:
    metadata = component["spec"].get("metadata") or ()
    return {str(item["name"]).lower(): str(item["value"]) for item in metadata if "value" in item}


@asynccontextmanager
async def rigged(bench: Bench, processes: Processes, ports: Ports) -> AsyncIterator[Rig]:
    """Make the case's own topics, and stop everything that the case started at its end."""
    name = f"c{secrets.token_hex(4)}"
    pubsub = str(bench.component["metadata"]["name"])
    rig = Rig(bench, processes, ports, f"{name}-app", f"{name}.bell.rung", pubsub)
    try:
        if bench.address:
            kind = str(bench.component["spec"]["type"])
            topics = (rig.topic, rig.dead_letter_topic)
            pattern = PUBSUB_OF_TOPIC if "{topic}" in pubsub else pubsub
            hearers = tuple((rig.app_id, topic) for topic in topics)
            await provision(BrokerLayout(kind, pattern, topics, hearers, _settings(bench.component)), bench.address)
        yield rig
    finally:
        await rig.close()
