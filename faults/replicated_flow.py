"""The flow for fault runs: five services with two replicas each, and a proxy before the store and before the broker."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import aiohttp
import redis.asyncio
from redis.exceptions import RedisError

from choreography.flow import services_of
from choreography.progress import Progress
from choreography.topics import TopicNaming, prefix_of
from choreography.up import ProcessDiedError, RunningFlow, Tools
from choreography.up.flowfile import FlowFile, read_flow
from choreography.up.rendered import with_rendered
from faults.accounts import Attack
from faults.defects.seeding import environment_of
from faults.proxy import Proxy

FLOW: Final = Path("apps/checkout")
NAMES: Final = TopicNaming(prefix_of("apps.checkout"))
"""What the flow's topics are called on the broker."""
TOPICS: Final = tuple(
    NAMES.on_broker(topic)
    for topic in sorted({one for service in services_of("apps.checkout") for one in service.topics})
)
"""Every topic of its events, on the broker."""
PROVIDER: Final = "payment-provider"
SERVERS: Final = ("redis", "postgres", "scheduler")

OVERDUE: Final = 15.0
"""Seconds after which an order asks to be cancelled: a long fault makes some orders late, and that is one more path."""
REDELIVERED_AFTER: Final = 8.0
"""Seconds after which the broker takes a delivery for abandoned: rendered shorter than shipped, so that a run can wait
for it many times."""

_WRITING: Final = 60.0
"""Seconds for tens of megabytes of hostile events on a slow machine; the client's own five are too few."""
_TRIES: Final = 6


Broker: TypeAlias = Any
"""redis-py's client, whose types are unions of all that it could be configured to return."""


class SkippedError(Exception):
    """This machine cannot produce a fault; the message says why."""


@dataclass
class Stage:
    """Everything that a fault may use."""

    flow: RunningFlow
    store: Proxy
    broker: Proxy
    session: aiohttp.ClientSession
    redis: Broker
    chance: random.Random
    down: set[str] = field(default_factory=set)
    ended_by_themselves: list[str] = field(default_factory=list)
    hostile: set[bytes] = field(default_factory=set)
    aimed: dict[bytes, frozenset[str]] = field(default_factory=dict)
    attacks: list[Attack] = field(default_factory=list)
    copies: set[tuple[str, str]] = field(default_factory=set)

    def expect(self, kept: bytes, aside: frozenset[str]) -> None:
        """Note which services must quarantine a hostile text."""
        self.hostile.add(kept)
        self.aimed[kept] = aside

    @property
    def apps(self) -> list[str]:
        """Every replica of every service."""
        return [name for service in self.flow.services for name in self.replicas(service)]

    @property
    def sidecars(self) -> list[str]:
        """The sidecar of every replica."""
        return [f"{name}-sidecar" for name in self.apps]

    def replicas(self, service: str) -> list[str]:
        """Both replicas of a service."""
        return [service, f"{service}-2"]

    def one_of(self, service: str) -> str:
        """One replica, chosen at random."""
        return self.chance.choice(self.replicas(service))

    async def kill(self, *names: str) -> None:
        """Kill processes as crashes would, all at the same moment."""
        self.down.update(names)
        await asyncio.gather(*(self.flow.kill(name) for name in names))

    async def bring_back(self, *names: str) -> None:
        """Start processes again and wait until they are ready."""
        await asyncio.gather(*(self._start(name) for name in names))
        self.down.difference_update(names)

    async def _start(self, name: str) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                await self.flow.start(name)
            except ProcessDiedError:
                # A server may find the leftovers of its predecessor, and a sidecar may find no server yet.
                if attempt == _TRIES:
                    raise
                await self.flow.kill(name)
                await asyncio.sleep(1)
            else:
                self.flow.may_end(name)
                return

    async def provider(self, **switches: Any) -> None:
        """Set the provider's fault switches; without any, the provider works normally."""
        url = f"{self.flow.address(PROVIDER)}/faults"
        async with self.session.put(url, json={"decline_above": 100_000, "delay_ms": 5} | switches) as answer:
            answer.raise_for_status()

    async def keep_alive(self) -> None:
        """Restart processes that ended by themselves, as any cluster would, and record it."""
        everything = [*self.apps, *self.sidecars, *SERVERS, PROVIDER]
        for name in everything:
            self.flow.may_end(name)
        while True:
            await asyncio.sleep(0.5)
            dead = [name for name in everything if name not in self.down and self.flow.pid(name) is None]
            for name in dead:
                self.ended_by_themselves.append(name)
                self.down.add(name)
            if dead:
                await self.bring_back(*dead)


@asynccontextmanager
async def raised(
    folder: Path, tools: Tools, progress: Progress, chance: random.Random, defect: str = ""
) -> AsyncIterator[Stage]:
    """Start everything, with a seeded defect if one is named, and stop everything at the end."""
    async with (
        Proxy(lambda: _postgres_port(flow), chance) as store,
        Proxy(lambda: flow.redis_port, chance) as broker,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        flow = RunningFlow(
            FLOW,
            folder,
            store="postgres",
            replicas=2,
            tools=tools,
            progress=progress,
            drain=False,
            environment={"CHOREOGRAPHY_DEADLINES": f"overdue={OVERDUE:.0f}s"}
            | (environment_of(defect) if defect else {}),
            resources=_impatient(with_rendered(read_flow(FLOW), folder, "redis"), folder / "resources"),
            detours={"postgres": store.port, "redis": broker.port},
        )
        async with flow, redis.asyncio.Redis(port=flow.redis_port, socket_timeout=_WRITING) as client:
            stage = Stage(flow, store, broker, session, client, chance)
            await stage.provider()
            alive = asyncio.create_task(stage.keep_alive())
            try:
                yield stage
            finally:
                await call_off(alive)


def _postgres_port(flow: RunningFlow) -> int:
    found = re.search(r"port=(\d+)", flow.postgres_dsn)
    return int(found.group(1)) if found else 0


def _impatient(flow: FlowFile, target: Path) -> Path:
    """Copy the flow's resources with a broker that redelivers unacknowledged events sooner."""
    target.mkdir(parents=True, exist_ok=True)
    sooner = {"processingTimeout": REDELIVERED_AFTER * 1000, "redeliverInterval": 1000}
    for file in flow.resources_for("redis").glob("*.yaml"):
        text = file.read_text()
        for name, milliseconds in sooner.items():
            text = re.sub(rf'(name: {name}\n\s+value: )"\d+"', rf'\g<1>"{milliseconds:.0f}"', text)
        (target / file.name).write_text(text)
    if f'"{REDELIVERED_AFTER * 1000:.0f}"' not in (target / "pubsub.yaml").read_text():
        raise SkippedError(
            "The broker's component has no processingTimeout, so nothing here can be redelivered in time."
        )
    return target


async def call_off(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks reliably: a client library may take a cancellation for a broken connection, and continue."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.5)


async def entries(client: Broker, topic: str, after: str = "-") -> AsyncIterator[tuple[str, bytes]]:
    """Read a topic from its beginning, a page at a time."""
    start = after
    while True:
        page = await client.xrange(topic, min=start, count=2_000)
        for entry, fields in page:
            yield entry.decode(), fields.get(b"data", b"")
        if len(page) < 2_000:
            return
        start = f"({page[-1][0].decode()}"


async def follow(client: Broker, topics: Iterable[str]) -> AsyncIterator[tuple[str, str, dict[bytes, bytes]]]:
    """Yield all new messages on some topics, forever, even if the broker dies meanwhile."""
    last: dict[Any, Any] = dict.fromkeys(topics, "$")
    for topic in last:
        with suppress(RedisError, OSError):
            newest = await client.xrevrange(topic, count=1)
            last[topic] = newest[0][0].decode() if newest else "0"
    while True:
        try:
            read = await client.xread(last, count=500, block=200)
        except (RedisError, OSError):
            await asyncio.sleep(0.2)
            continue
        for topic, found in read:
            for entry, fields in found:
                last[topic.decode()] = entry.decode()
                yield topic.decode(), entry.decode(), fields
