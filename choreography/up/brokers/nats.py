"""NATS with JetStream, from the PATH or the system's packages."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from choreography.progress import Progress
from choreography.render.access.nats import OPERATOR, password_variable
from choreography.up.brokers.broker import BrokerPlace
from choreography.up.brokers.broker_users import Logins
from choreography.up.errors import MissingToolError
from choreography.up.probes import http_ready
from choreography.up.processes import Program
from choreography.up.running_tools import ask
from choreography.up.servers import can_install, install
from choreography.up.sidecars import LOOPBACK

_CONFIGURATION = """\
listen: "{host}:{port}"
http: "{host}:{monitoring}"
jetstream {{
  store_dir: "{data}"
}}
"""
_USERS = """\
authorization {{
  include users.conf
}}
# Whoever looks on from this machine, as `choreography provision` does.
no_auth_user: "{operator}"
"""


@dataclass(frozen=True)
class Nats:
    """Starts NATS."""

    server: str
    name: str = "nats"
    forgets: str = ""
    logins: Logins | None = None

    @property
    def version(self) -> str:
        """The server and its version."""
        return (ask([self.server, "--version"]) or "NATS").strip().replace("nats-server: v", "NATS ")

    def programs(self, place: BrokerPlace) -> list[Program]:
        """The program that serves the run's data."""
        port, monitoring, folder = place.port(self.name), place.port("nats-monitoring"), place.folder(self.name)
        configuration = folder / "nats.conf"
        configuration.write_text(
            _CONFIGURATION.format(host=LOOPBACK, port=port, monitoring=monitoring, data=folder / "data")
            + ("" if self.logins is None else _USERS.format(operator=self.logins.users[OPERATOR]))
        )
        if self.logins is not None:
            (folder / "users.conf").write_text(self.logins.permissions)
        return [
            Program(
                name=self.name,
                command=[self.server, "--config", str(configuration)],
                log=place.log(self.name),
                environment={} if self.logins is None else _passwords(self.logins),
                ready=lambda: http_ready(f"http://{LOOPBACK}:{monitoring}/healthz"),
            )
        ]

    def told(self, port: int) -> Mapping[str, str]:
        """The address for sidecars."""
        return {"NATS_URL": self.address(port)}

    def address(self, port: int) -> str:
        """Its address."""
        return f"nats://{LOOPBACK}:{port}"

    def guarded(self, logins: Logins) -> Self:
        """The same server with these users."""
        return replace(self, logins=logins)

    def login(self, place: BrokerPlace, app: str) -> Mapping[str, str]:
        """The address with the user of an app and its password."""
        if self.logins is None or app not in self.logins.users:
            return {}
        user, password = self.logins.of(app)
        return {"NATS_URL": f"nats://{user}:{password}@{LOOPBACK}:{place.port(self.name)}"}

    async def permit(self, place: BrokerPlace) -> None:
        """Do nothing: the server reads the permissions at its start."""


def _passwords(logins: Logins) -> dict[str, str]:
    """The environment of a server; quotes keep it from reading a password as a number."""
    return {password_variable(user): f'"{password}"' for user, password in logins.passwords.items()}


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
