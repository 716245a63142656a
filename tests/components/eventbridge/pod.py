"""An emulated AWS, a component, a sidecar and an app, as real processes: the contents of a pod."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from aiobotocore.session import get_session
from aiohttp import web

from choreography.progress import Progress
from choreography.up.dapr import find_or_build
from choreography.up.ports import Ports
from choreography.up.probes import http_ready
from choreography.up.processes import Process, Processes, Program
from components.eventbridge.names import subscription_name
from components.eventbridge.settings import Settings
from components.pluggable.server import SOCKETS_FOLDER
from tests.components.waiting import eventually

REGION: Final = "eu-west-1"
BUS: Final = "tests"
ACCOUNT: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}


def queue_of(topic: str, consumer: str = "listener") -> str:
    """Return the name of a consumer's rule and queue."""
    return subscription_name(Settings(consumer=consumer, region=REGION, bus=BUS), topic)


@dataclass
class App:
    """An app that records its sidecar's deliveries."""

    failures: dict[bytes, int] = field(default_factory=dict)
    delays: dict[bytes, float] = field(default_factory=dict)
    heard: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def data(self, topic: str) -> list[bytes]:
        """Return the accepted events of a topic."""
        return [data for heard, data, _ in self.heard if heard == topic]

    async def events(self, request: web.Request) -> web.Response:
        """Answer a bulk delivery; entries named in `failures` fail that many times."""
        batch = await request.json()
        statuses = []
        for entry in batch["entries"]:
            data = base64.b64decode(entry["event"])
            await asyncio.sleep(self.delays.pop(data, 0))  # once, so that a repeat is seen soon
            status = "SUCCESS"
            if self.failures.get(data, 0):
                self.failures[data] -= 1
                status = "RETRY"
            else:
                self.heard.append((batch["topic"], data, entry.get("metadata") or {}))
            statuses.append({"entryId": entry["entryId"], "status": status})
        return web.json_response({"statuses": statuses})


class Pod:
    """The processes, and how to reach them."""

    def __init__(self, folder: Path, sockets: Path, processes: Processes) -> None:
        self.folder, self.sockets, self.processes, self.app = folder, sockets, processes, App()
        self.ports = Ports(folder / "ports.json")
        self.aws_url = f"http://127.0.0.1:{self.ports.of('aws')}"
        self.dapr_url = f"http://127.0.0.1:{self.ports.of('dapr')}"

    def settings(self, **more: str) -> dict[str, str]:
        """The settings of the component file."""
        return {
            "endpoint": self.aws_url,
            "busName": BUS,
            "visibilityTimeout": "5",
            "waitSeconds": "1",
            "maxReceives": "3",
            **more,
        }

    def aws(self) -> Program:
        """The emulator of AWS."""
        return Program(
            name="aws",
            command=[sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.ports.of("aws"))],
            log=self.folder / "aws.log",
            ready=lambda: http_ready(f"{self.aws_url}/moto-api/data.json"),
        )

    def component(self) -> Program:
        """The component."""
        return Program(
            name="component",
            command=[sys.executable, "-m", "components.eventbridge"],
            folder=Path(__file__).parents[3],
            log=self.folder / "component.log",
            environment={**ACCOUNT, SOCKETS_FOLDER: str(self.sockets), "EVENTBRIDGE_SIDECAR": self.dapr_url},
            ready=self._socket_is_there,
        )

    async def _socket_is_there(self) -> None:
        await eventually((self.sockets / "aws.eventbridge.sock").exists)

    def sidecar(self) -> Program:
        """The sidecar."""
        daprd, _ = find_or_build(Progress.silent())
        ports = [
            part
            for flag in ("dapr-http", "dapr-grpc", "dapr-internal-grpc", "metrics")
            for part in (f"--{flag}-port", str(self.ports.of("dapr" if flag == "dapr-http" else flag)))
        ]
        return Program(
            name="sidecar",
            command=[
                *[str(daprd), "--app-id", "listener", "--app-port", str(self.ports.of("app")), *ports],
                *["--dapr-listen-addresses", "127.0.0.1", "--dapr-internal-grpc-listen-address", "127.0.0.1"],
                *["--resources-path", str(self.folder / "resources"), "--scheduler-host-address", ""],
                *["--placement-host-address", "", "--dapr-graceful-shutdown-seconds", "2"],
            ],
            log=self.folder / "sidecar.log",
            environment={SOCKETS_FOLDER: str(self.sockets)},
            ready=lambda: http_ready(f"{self.dapr_url}/v1.0/healthz"),
        )

    def write_resources(self, topics: Sequence[str]) -> None:
        """Write the component file and a subscription for each topic."""
        folder = self.folder / "resources"
        folder.mkdir()
        metadata = [{"name": name, "value": value} for name, value in self.settings().items()]
        documents: list[dict[str, Any]] = [
            {
                "apiVersion": "dapr.io/v1alpha1",
                "kind": "Component",
                "metadata": {"name": "pubsub"},
                "spec": {"type": "pubsub.aws.eventbridge", "version": "v1", "metadata": metadata},
            }
        ]
        for topic in topics:
            told = {"rawPayload": "true"}
            if topic == "foreign":
                told["eventPattern"] = json.dumps({"source": ["not.dapr"]})
            documents.append(
                {
                    "apiVersion": "dapr.io/v2alpha1",
                    "kind": "Subscription",
                    "metadata": {"name": topic},
                    "spec": {
                        "pubsubname": "pubsub",
                        "topic": topic,
                        "metadata": told,
                        "routes": {"default": "/events"},
                        "bulkSubscribe": {"enabled": True, "maxMessagesCount": 10, "maxAwaitDurationMs": 10},
                    },
                }
            )
        (folder / "all.yaml").write_text(yaml.safe_dump_all(documents))

    def process(self, name: str) -> Process:
        """One of the processes."""
        return self.processes.find(name)

    async def publish(self, topic: str, data: bytes) -> None:
        """Publish bytes as they are."""
        status, text = await self.post(
            f"publish/pubsub/{topic}?metadata.rawPayload=true", data, "application/octet-stream"
        )
        assert status == 204, text

    async def publish_bulk(self, topic: str, events: Sequence[str]) -> tuple[int, str]:
        """Publish texts in one call."""
        entries = [
            {"entryId": str(place), "event": event, "contentType": "text/plain"} for place, event in enumerate(events)
        ]
        body = json.dumps(entries).encode()
        return await self.post(f"publish/bulk/pubsub/{topic}?metadata.rawPayload=true", body, "application/json")

    async def post(self, path: str, body: bytes, content_type: str) -> tuple[int, str]:
        """Call the sidecar."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.dapr_url}/v1.0/{path}", data=body, headers={"Content-Type": content_type}) as answer,
        ):
            return answer.status, await answer.text()

    async def subscribed(self, topics: Sequence[str], within: float = 40.0) -> None:
        """Wait until every topic has a rule that sends to a queue; earlier events match no rule."""
        async with self.client("events") as events, asyncio.timeout(within):
            for topic in topics:
                while not await _sends(events, queue_of(topic)):  # noqa: ASYNC110 - AWS can only be asked
                    await asyncio.sleep(0.1)

    @asynccontextmanager
    async def client(self, name: str, accessKey: str = "test", secretKey: str = "test") -> AsyncIterator[Any]:  # noqa: N803
        """A client of AWS without the component, with the credentials of a component file."""
        async with get_session().create_client(
            name,
            region_name=REGION,
            endpoint_url=self.aws_url,
            aws_access_key_id=accessKey,
            aws_secret_access_key=secretKey,
        ) as client:
            yield client


async def _sends(events: Any, rule: str) -> bool:
    try:
        return bool((await events.list_targets_by_rule(EventBusName=BUS, Rule=rule))["Targets"])
    except events.exceptions.ClientError:
        return False


@asynccontextmanager
async def running(folder: Path, topics: Sequence[str]) -> AsyncIterator[Pod]:
    """Run everything for as long as the block lasts."""
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="eb-") as sockets:
        async with Processes() as processes:
            pod = Pod(folder, Path(sockets), processes)
            pod.write_resources(topics)
            server = web.Application(client_max_size=2**24)
            server.router.add_post("/events", pod.app.events)
            runner = web.AppRunner(server)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", pod.ports.of("app")).start()
            try:
                for program in (pod.aws(), pod.component(), pod.sidecar()):
                    [process] = processes.wave([program])
                    await process.start()
                    await process.until_ready()
                yield pod
            finally:
                await processes.stop_all()
                await runner.cleanup()
                pod.ports.release()
