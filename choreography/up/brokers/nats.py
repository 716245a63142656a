"""NATS with JetStream, from the PATH or the system's packages."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from choreography.up.brokers.broker import Place
from choreography.up.commands import ask
from choreography.up.errors import MissingToolError
from choreography.up.probes import http_ready
from choreography.up.processes import Program
from choreography.up.progress import Progress
from choreography.up.servers import can_install, install
from choreography.up.sidecars import LOOPBACK

_CONFIGURATION = """\
listen: "{host}:{port}"
http: "{host}:{monitoring}"
jetstream {{
  store_dir: "{data}"
}}
"""


@dataclass(frozen=True)
class Nats:
    """How to start NATS."""

    server: str
    name: str = "nats"
    forgets: str = ""

    @property
    def version(self) -> str:
        """The server and its version."""
        return (ask([self.server, "--version"]) or "NATS").strip().replace("nats-server: v", "NATS ")

    def programs(self, place: Place) -> list[Program]:
        """The program that serves the run's data."""
        port, monitoring, folder = place.port(self.name), place.port("nats-monitoring"), place.folder(self.name)
        configuration = folder / "nats.conf"
        configuration.write_text(
            _CONFIGURATION.format(host=LOOPBACK, port=port, monitoring=monitoring, data=folder / "data")
        )
        return [
            Program(
                name=self.name,
                command=[self.server, "--config", str(configuration)],
                log=place.log(self.name),
                ready=lambda: http_ready(f"http://{LOOPBACK}:{monitoring}/healthz"),
            )
        ]

    def told(self, port: int) -> Mapping[str, str]:
        """Where sidecars find it."""
        return {"NATS_URL": self.address(port)}

    def address(self, port: int) -> str:
        """Its address."""
        return f"nats://{LOOPBACK}:{port}"


def find_nats(progress: Progress) -> Nats:
    """NATS from the PATH, else from the system's packages."""
    server, how = shutil.which("nats-server"), "found"
    if server is None and can_install():
        install(progress, "nats-server")
        server, how = shutil.which("nats-server"), "installed with apt-get:"
    if server is None:
        raise MissingToolError(
            "nats-server was not found. It is the broker that was asked for, so no event could travel. Install it "
            "(`sudo apt-get install nats-server`, `brew install nats-server`), or choose another broker."
        )
    progress.done(f"{(ask([server, '--version']) or 'nats-server').strip()} {how} {server}")
    return Nats(server)
