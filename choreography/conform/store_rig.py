"""Two sidecars of one app on a store under test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from choreography.conform.result import NotShownError
from choreography.settings import Settings
from choreography.sidecar.client import SidecarClient
from choreography.stores.port import Store
from choreography.stores.through_sidecar import SidecarStore
from choreography.up import probes
from choreography.up.ports import Ports
from choreography.up.processes import Process, Processes, Program
from choreography.up.sidecars import Addresses


@dataclass
class StoreRig:
    """A store, with two connections to it.

    Attributes:
        one: the connection of one replica.
        two: the connection of another replica; the same one if a store serves only one process.
    """

    one: Store
    two: Store
    process: Process | None

    def server(self) -> Process:
        """Return the server.

        Raises:
            NotShownError: another program started it, or there is none.
        """
        if self.process is None:
            raise NotShownError("there is no server of ours to stop")
        return self.process


@asynccontextmanager
async def store_rigged(
    daprd: Path,
    component: dict[str, Any],
    environment: Mapping[str, str],
    *,
    processes: Processes,
    ports: Ports,
    folder: Path,
    server: Process | None,
) -> AsyncIterator[StoreRig]:
    """Start the sidecars, and stop them at the end."""
    resources = folder / "store"
    resources.mkdir(parents=True, exist_ok=True)
    bare = {key: value for key, value in component.items() if key != "scopes"}
    (resources / "component.yaml").write_text(yaml.safe_dump(bare))
    store = str(component["metadata"]["name"])
    names = ["one"] if str(component["spec"]["type"]) == "state.sqlite" else ["one", "two"]
    started: list[Process] = []
    sidecars: list[SidecarClient] = []
    stores: list[Store] = []
    try:
        for name in names:
            http, grpc, internal, metrics = (
                ports.of(f"store-{name}-{part}") for part in ("http", "grpc", "internal", "metrics")
            )
            addresses = Addresses("conform", None, http, grpc, internal, metrics)
            program = Program(
                name=f"store-{name}",
                command=addresses.command(daprd, [resources], None, None),
                log=folder / f"store-{name}.log",
                environment=addresses.for_sidecar(dict(environment)),
                ready=_healthy(addresses),
                starts=4,
            )
            process = processes.wave([program])[0]
            await process.start()
            started.append(process)
            await process.until_ready()
            settings = Settings(sidecar=addresses.url, sidecar_token=addresses.api_token, store=store)
            sidecars.append(SidecarClient(settings))
            stores.append(SidecarStore(sidecars[-1], store))
        # A store without a server lives in its sidecar, and dies with it.
        in_sidecar = started[0] if len(names) == 1 else None
        yield StoreRig(stores[0], stores[-1], server or in_sidecar)
    finally:
        for sidecar in sidecars:
            await sidecar.close()
        for process in started:
            if process.running:
                await process.kill()


def _healthy(addresses: Addresses) -> Any:
    return lambda: probes.http_ready(f"{addresses.url}/v1.0/healthz/outbound", addresses.api_token)
