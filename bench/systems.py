"""The compared systems, and how each is started: each with its own servers, of the same kind and settings."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.broker import Elsewhere
from bench.flow_files import CHECKOUT, ROOT, SERVICES, write_floor, write_quickstart, write_without_sidecars
from bench.meter import Pids
from bench.relayed import Relayed
from choreography.up import RunningFlow
from choreography.up.ports import Ports
from choreography.up.probes import http_ready
from choreography.up.processes import Processes, Program

Start = Callable[[Path, int], AbstractAsyncContextManager["Stage"]]


@dataclass(frozen=True)
class Stage:
    """A running system: the addresses for orders and stock, and its processes.

    Attributes:
        orders: the addresses of the order service.
        inventory: the address of the service with the shelves.
        provider: the address of the payment provider.
        redis_port: the port of the broker.
        pids: the processes, by group and name.
        more_streams: further streams besides those that every system has.
        elsewhere: tells whether no event is on its way to the broker, for a system with an outbox.
        database: the address of the services' database.
    """

    orders: tuple[str, ...]
    inventory: str
    provider: str
    redis_port: int
    pids: Pids
    more_streams: tuple[str, ...] = ()
    elsewhere: Elsewhere | None = None
    database: str = ""


@dataclass(frozen=True)
class System:
    """One system to measure.

    Attributes:
        name: its name in results and on the plot.
        told: its description, in a few words.
        lacks: the guarantees that it does not give, which a fair comparison must consider.
        start: starts it in a folder with a number of replicas.
        keeps_state: whether it has a state to audit besides its events.
    """

    name: str
    told: str
    lacks: tuple[str, ...]
    start: Start
    keeps_state: bool = True


@asynccontextmanager
async def _ours(folder: Path, replicas: int, *, traced: bool) -> AsyncIterator[Stage]:
    flow = RunningFlow(CHECKOUT, folder, store="postgres", zipkin=traced, replicas=replicas, drain=False)
    async with flow:
        yield stage_of(flow, replicas, more_streams=("billing-intents",))


@asynccontextmanager
async def _on_sidecars(folder: Path, replicas: int, write: Callable[[Path], Path], store: str) -> AsyncIterator[Stage]:
    flow = RunningFlow(write(folder / "flow"), folder, store=store, replicas=replicas, drain=False)
    async with flow:
        yield stage_of(flow, replicas)


@asynccontextmanager
async def _fast_stream_outbox(folder: Path, replicas: int) -> AsyncIterator[Stage]:
    async with _fast_stream(folder, replicas, "bench.fast_stream_outbox") as stage:
        relayed = await Relayed.open(stage.database, [f"{service}_outbox" for service in SERVICES])
        try:
            yield replace(stage, elsewhere=relayed.all)
        finally:
            await relayed.close()


@asynccontextmanager
async def _fast_stream(folder: Path, replicas: int, package: str) -> AsyncIterator[Stage]:
    flow = RunningFlow(write_without_sidecars(folder / "flow"), folder, store="postgres", drain=False)
    ports = Ports(folder / "more-ports.json")
    async with flow, Processes() as processes:
        told = {
            "REDIS_URL": f"redis://127.0.0.1:{flow.redis_port}",
            "DATABASE_URL": as_url(flow.postgres_dsn),
            "OUTSIDE_PAYMENT_PROVIDER": flow.address("payment-provider"),
        }
        names = {name: service for service in SERVICES for name in _replica_names(service, replicas)}
        programs = [
            _program(folder, name, service, ports.of(name), told, package=package) for name, service in names.items()
        ]
        started = processes.wave(programs)
        for process in started:
            await process.start()
        for process in started:
            await process.until_ready()
        services = {process.program.name: process.pid or 0 for process in started}
        yield Stage(
            orders=tuple(f"http://127.0.0.1:{ports.of(name)}" for name in _replica_names("order", replicas)),
            inventory=f"http://127.0.0.1:{ports.of('inventory')}",
            provider=flow.address("payment-provider"),
            redis_port=flow.redis_port,
            pids=_pids(flow, {"services": services}),
            database=told["DATABASE_URL"],
        )


def _program(folder: Path, name: str, service: str, port: int, told: Mapping[str, str], *, package: str) -> Program:
    own = {"APP_ID": service, "REPLICA": name, "APP_PORT": str(port)}
    return Program(
        name=name,
        command=[sys.executable, "-m", package, service],
        log=folder / "logs" / f"{name}.log",
        environment={**told, **own},
        folder=ROOT,
        ready=lambda: http_ready(f"http://127.0.0.1:{port}/readyz"),
    )


def stage_of(flow: RunningFlow, replicas: int, more_streams: tuple[str, ...] = (), broker: str = "redis") -> Stage:
    """Return the addresses and the processes of a running flow."""
    names = [name for service in SERVICES for name in _replica_names(service, replicas)]
    own = {
        "services": {name: flow.pid(name) or 0 for name in names},
        "sidecars": {of: flow.pid(of) or 0 for name in names for of in flow.beside(name)},
    }
    return Stage(
        orders=tuple(flow.address(name) for name in _replica_names("order", replicas)),
        inventory=flow.address("inventory"),
        provider=flow.address("payment-provider"),
        redis_port=flow.redis_port if broker == "redis" else 0,
        pids=_pids(flow, own, broker),
        more_streams=more_streams,
    )


def _pids(flow: RunningFlow, own: Mapping[str, Mapping[str, int]], broker: str = "redis") -> Pids:
    servers = {"broker": broker, "database": "postgres", "provider": "payment-provider", "scheduler": "scheduler"}
    if flow.zipkin:
        servers["collector"] = "zipkin"
    return {**own, **{group: {name: flow.pid(name) or 0} for group, name in servers.items()}}


def _replica_names(service: str, count: int) -> list[str]:
    return [service, *(f"{service}-{number}" for number in range(2, count + 1))]


def as_url(dsn: str) -> str:
    """Return the connection string in the form of asyncpg; the flow's has the form of libpq."""
    words = dict(word.split("=", 1) for word in dsn.split())
    return f"postgresql://{words['user']}:{words['password']}@{words['host']}:{words['port']}/{words['dbname']}"


SYSTEMS: Final = (
    System(
        "choreography",
        "this project, everything on, every order traced",
        ("nothing of this list",),
        lambda folder, replicas: _ours(folder, replicas, traced=True),
    ),
    System(
        "choreography, untraced",
        "this project, tracing off",
        ("tracing",),
        lambda folder, replicas: _ours(folder, replicas, traced=False),
    ),
    System(
        "dapr quickstart",
        "DaprClient and dapr.ext.fastapi, one message at a time",
        (
            "events after a crash between save and publish",
            "several entities in one transaction",
            "outcomes",
            "deadlines",
            "cancelling by the customer",
            "quarantine",
            "safe retries of a request",
            "tracing",
        ),
        lambda folder, replicas: _on_sidecars(folder, replicas, write_quickstart, "postgres-by-dapr"),
    ),
    System(
        "faststream",
        "FastStream straight on Redis, asyncpg",
        (
            "events after a crash between commit and publish",
            "redelivery of what a dead process held",
            "outcomes",
            "deadlines",
            "cancelling by the customer",
            "quarantine",
            "safe retries of a request",
            "tracing",
            "another broker or store by changing a file",
        ),
        lambda folder, replicas: _fast_stream(folder, replicas, "bench.fast_stream"),
    ),
    System(
        "faststream, outbox",
        "FastStream on Redis with faststream-outbox: state and event in one transaction, then a relay",
        (
            "outcomes",
            "deadlines",
            "cancelling by the customer",
            "quarantine",
            "safe retries of a request",
            "tracing",
            "another broker or store by changing a file",
        ),
        _fast_stream_outbox,
    ),
    System(
        "floor",
        "the same deliveries and publishes through the same sidecars, no state",
        ("state", "payments", "validation", "every guarantee"),
        lambda folder, replicas: _on_sidecars(folder, replicas, write_floor, "postgres"),
        keeps_state=False,
    ),
)
