"""The programs of a flow: the command, environment, log and readiness check of each process."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.drain import Where
from choreography.provision import BrokerLayout, layout_of, provision
from choreography.up import probes
from choreography.up.brokers import Guarded, Managed, Pluggable
from choreography.up.brokers.broker import SOCKETS_FOLDER
from choreography.up.errors import UnknownNameError
from choreography.up.processes import Program
from choreography.up.sidecars import LOOPBACK, Addresses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choreography.up.flowfile import App, FlowFile
    from choreography.up.keeping import StateKeeping
    from choreography.up.ports import Ports
    from choreography.up.toolbox import Tools

_SCHEDULER = "dapr-scheduler-server-0"


def zipkin_endpoint(ports: Ports) -> str:
    """Return the address that spans are sent to."""
    return f"http://{LOOPBACK}:{ports.of('zipkin')}/api/v2/spans"


@dataclass
class Programs:
    """Turns the entries of a run file, and the servers beneath them, into programs that can be started."""

    file: FlowFile
    run_folder: Path
    ports: Ports
    tools: Tools
    resources: Path
    configuration: Path | None
    kept: StateKeeping
    traced: bool
    environment: Mapping[str, str]
    detours: Mapping[str, int] = field(default_factory=dict)
    addresses: dict[str, Addresses] = field(default_factory=dict)

    @cached_property
    def layout(self) -> BrokerLayout:
        """The requirements of the flow on its broker, read once for all replicas."""
        return layout_of(self.resources)

    @property
    def broker_at(self) -> Where:
        """The address of the broker."""
        broker = self.tools.broker
        management = broker.management(self) if isinstance(broker, Managed) else ""
        return Where(broker.address(self.ports.of(broker.name)), management)

    async def provision(self) -> None:
        """Create on a running broker everything that the flow needs."""
        broker = self.tools.broker
        await provision(self.layout, self.broker_at.address)
        if isinstance(broker, Guarded):
            await broker.permit(self)

    def servers(self) -> list[Program]:
        """All servers that the sidecars need."""
        programs = [*self.tools.broker.programs(self), self._scheduler()]
        if (database := self.kept.database) is not None:
            programs.append(database.program(self.log(database.name)))
        if self.traced:
            programs.append(self._zipkin())
        return programs

    def outside(self, app: App) -> Program:
        """A program that services call although it is not part of the flow."""
        port = self.ports.of(app.name)
        told = {
            "APP_ID": app.name,
            "APP_PORT": str(port),
            "PROVIDER_DATABASE": str(self.folder("outside") / f"{app.name}.db"),
        }
        return Program(
            name=app.name,
            command=app.command,
            folder=app.folder,
            log=self.log(app.name),
            environment=self._for_python(app) | told,
            ready=lambda: probes.listening(port),
        )

    def app(self, app: App, name: str) -> Program:
        """One replica of a service."""
        addresses = self.give_addresses(name, app.name, self.ports.of(name))
        outside = {
            other.outside_variable: f"http://{LOOPBACK}:{self.ports.of(other.name)}" for other in self.file.outside
        }
        traces = {"ZIPKIN_ENDPOINT": zipkin_endpoint(self.ports)} if self.traced else {}
        return Program(
            name=name,
            command=app.command,
            folder=app.folder,
            log=self.log(name),
            environment=self._for_python(app)
            | outside
            | traces
            | addresses.for_app()
            | {"CHOREOGRAPHY_PUBSUB": self.layout.pubsub}
            | dict(self.kept.told(app.name, self._way_to_database())),
            ready=lambda: probes.http_ready(f"http://{LOOPBACK}:{addresses.app}/readyz"),
        )

    def sidecar(self, name: str, resources: Path | None = None) -> Program:
        """The sidecar of one replica, or of a guest with its own resources."""
        addresses = self.address_of(name)
        broker = self.tools.broker
        told = {**broker.told(self._way_to(broker.name)), **self.login(addresses.app_id)}
        told.update(self.kept.for_sidecar(addresses.app_id, self._way_to_database()))
        read = [resources or self.resources, *self.kept.resources_in(self.file)]
        if component := self.component(name):
            told[SOCKETS_FOLDER] = component.environment[SOCKETS_FOLDER]
        # Only with an app does "healthy" mean more than an answering API: the sidecar then also waits for the app.
        health = "healthz" if addresses.app is not None else "healthz/outbound"
        return Program(
            name=f"{name}-sidecar",
            command=addresses.command(self.tools.daprd, read, self.configuration, self.ports.of("scheduler")),
            log=self.log(f"{name}-sidecar"),
            environment=addresses.for_sidecar(told),
            ready=lambda: probes.http_ready(f"{addresses.url}/v1.0/{health}", addresses.api_token),
            # The sidecars of a new database create its tables one after another. On a slow machine the lock_timeout of
            # the connection string stops the waiting sidecars, again and again if there are many.
            starts=12,
        )

    def component(self, name: str) -> Program | None:
        """The component process beside the sidecar of one replica; it must start first."""
        broker = self.tools.broker
        return broker.component(self, name, self._way_to(broker.name)) if isinstance(broker, Pluggable) else None

    def login(self, app: str) -> Mapping[str, str]:
        """The login variables of an app's sidecar, if each service has a user of the broker."""
        broker = self.tools.broker
        return broker.login(self, app) if isinstance(broker, Guarded) else {}

    def _way_to_database(self) -> int:
        return self._way_to(self.kept.database.name) if self.kept.database is not None else 0

    def port(self, name: str) -> int:
        """The port called `name`."""
        return self.ports.of(name)

    def _way_to(self, server: str) -> int:
        return self.detours.get(server) or self.ports.of(server)

    def give_addresses(self, name: str, app_id: str, app: int | None) -> Addresses:
        """Choose the ports of a sidecar, and make its tokens."""
        http, grpc, internal, metrics = (
            self.ports.of(f"{name}-{part}") for part in ("http", "grpc", "internal", "metrics")
        )
        self.addresses[name] = Addresses(app_id, app, http, grpc, internal, metrics)
        return self.addresses[name]

    def address_of(self, name: str) -> Addresses:
        """The addresses of a service, a replica or a guest."""
        if name not in self.addresses:
            raise UnknownNameError.of(name, "sidecar", self.addresses)
        return self.addresses[name]

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.folder("logs") / f"{name}.log"

    def _scheduler(self) -> Program:
        port, health = self.ports.of("scheduler"), self.ports.of("scheduler-health")
        client, peer = self.ports.of("scheduler-client"), self.ports.of("scheduler-peer")
        return Program(
            name="scheduler",
            command=[
                *[str(self.tools.scheduler), "--id", _SCHEDULER],
                *["--port", str(port), "--listen-address", LOOPBACK],
                # Without this flag the scheduler gives sidecars an address that it chooses itself.
                *["--override-broadcast-host-port", f"{LOOPBACK}:{port}"],
                *["--healthz-port", str(health), "--healthz-listen-address", LOOPBACK],
                *["--etcd-data-dir", str(self.folder("scheduler"))],
                *["--etcd-client-port", str(client), "--etcd-client-listen-address", LOOPBACK],
                *["--etcd-initial-cluster", f"{_SCHEDULER}=http://{LOOPBACK}:{peer}"],
                *["--enable-metrics=false", "--log-level", "warn"],
            ],
            log=self.log("scheduler"),
            ready=lambda: probes.http_ready(f"http://{LOOPBACK}:{health}/healthz"),
        )

    def _zipkin(self) -> Program:
        assert self.tools.zipkin is not None  # noqa: S101 - the toolbox has prepared it
        port = self.ports.of("zipkin")
        return Program(
            name="zipkin",
            command=self.tools.zipkin.command(port),
            log=self.log("zipkin"),
            ready=lambda: probes.http_ready(f"http://{LOOPBACK}:{port}/health"),
            stop_signal=signal.SIGKILL,  # it keeps traces only in memory, so it needs no cleanup
        )

    def _for_python(self, app: App) -> dict[str, str]:
        return {
            **app.environment,
            **self.environment,
            # The commands in the file (`choreography`, `python`) come from this installation.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "PYTHONUNBUFFERED": "1",  # the last output of a dying process must reach its log
        }

    def folder(self, name: str) -> Path:
        """A folder of the run; it is made if it is missing."""
        folder = self.run_folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
