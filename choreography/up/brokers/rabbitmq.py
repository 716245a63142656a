"""RabbitMQ, from the PATH or the system's packages, with a user and data of this run's own."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import yaml

from choreography.progress import Progress
from choreography.up.brokers.broker import BrokerPlace
from choreography.up.brokers.broker_users import Logins
from choreography.up.errors import MissingToolError
from choreography.up.probes import amqp_ready, listening
from choreography.up.processes import Program
from choreography.up.servers import can_install, install
from choreography.up.sidecars import LOOPBACK

_DEBIAN: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""What Debian puts on the PATH changes to a user of its own, who may not write here; this is what it calls."""

_CONFIGURATION: Final = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = choreography
default_pass = {password}
loopback_users.choreography = true
consumer_timeout = 120000
log.console = true
log.console.level = warning
log.file = false
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
"""
"""consumer_timeout, in milliseconds: what a consumer keeps for longer goes to another. See components/brokers."""
_MANAGEMENT: Final = "rabbitmq-management"


@dataclass
class RabbitMQ:
    """Starts RabbitMQ."""

    server: str
    epmd: str
    password: str = field(default="", repr=False)
    name: str = "rabbitmq"
    forgets: str = ""
    logins: Logins | None = None

    @property
    def version(self) -> str:
        """The server and its version."""
        return f"RabbitMQ {_version(self.server)}"

    def programs(self, place: BrokerPlace) -> list[Program]:
        """The node, and before it the port mapper (epmd) by which Erlang nodes find each other.

        A node without a running port mapper starts its own, which would outlive this run.
        """
        port, folder, names = place.port(self.name), place.folder(self.name), place.port("epmd")
        self.password = _kept_secret(folder / "password")
        configuration = folder / "rabbitmq.conf"
        configuration.touch(0o600)
        management = place.port(_MANAGEMENT)
        text = _CONFIGURATION.format(port=port, password=self.password, management=management)
        if self.logins is not None:
            definitions = folder / "definitions.json"
            definitions.touch(0o600)
            definitions.write_text(json.dumps(_definitions(self.logins, self.password)))
            text += f"load_definitions = {definitions}\n"
        configuration.write_text(text)
        # Only this plugin reports the messages that sidecars hold, which `choreography drain` must know.
        (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        shared = {"ERL_EPMD_PORT": str(names), "ERL_EPMD_ADDRESS": LOOPBACK}
        epmd = Program(
            name="epmd",
            command=[self.epmd, "-port", str(names), "-address", LOOPBACK],
            log=place.log("epmd"),
            environment=shared,
            ready=lambda: listening(names),
        )
        node = Program(
            name=self.name,
            command=[self.server],
            log=place.log(self.name),
            environment=shared
            | {
                # The port is part of the name: two runs on this machine must not form one cluster.
                "RABBITMQ_NODENAME": f"choreography-{port}@localhost",
                "RABBITMQ_DIST_PORT": str(place.port("rabbitmq-distribution")),
                "RABBITMQ_CONFIG_FILE": str(configuration),
                "RABBITMQ_MNESIA_BASE": str(folder / "data"),
                "RABBITMQ_LOG_BASE": str(folder),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
                # The script then becomes the node instead of waiting for it, so that a signal reaches the node.
                "RABBITMQ_ALLOW_INPUT": "1",
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +sbwt none",
                # The node makes here the cookie by which nodes trust each other.
                "HOME": str(folder),
            },
            ready=lambda: amqp_ready(port),
        )
        return [epmd, node]

    def told(self, port: int) -> Mapping[str, str]:
        """The address and the user for sidecars."""
        return {"RABBITMQ_CONNECTION": self.address(port)}

    def address(self, port: int) -> str:
        """Its address, with the password of this run."""
        return f"amqp://choreography:{self.password}@{LOOPBACK}:{port}/"

    def guarded(self, logins: Logins) -> Self:
        """The same server with these users, beside this run's own user with all permissions."""
        return replace(self, logins=logins)

    def login(self, place: BrokerPlace, app: str) -> Mapping[str, str]:
        """The address with the user of an app and its password."""
        if self.logins is None or app not in self.logins.users:
            return {}
        user, password = self.logins.of(app)
        return {"RABBITMQ_CONNECTION": f"amqp://{user}:{password}@{LOOPBACK}:{place.port(self.name)}/"}

    async def permit(self, place: BrokerPlace) -> None:
        """Do nothing: the server reads the permissions at its start."""

    def management(self, place: BrokerPlace) -> str:
        """The address of its management plugin, with the password of this run."""
        return f"http://choreography:{self.password}@{LOOPBACK}:{place.port(_MANAGEMENT)}"


def find_rabbitmq(progress: Progress) -> RabbitMQ:
    """RabbitMQ from the PATH, else from the system's packages."""
    server, how = _server(), "found"
    if server is None and can_install():
        install(progress, "rabbitmq-server")
        server, how = _server(), "installed with apt-get:"
    if server is None:
        raise MissingToolError(
            "rabbitmq-server was not found. It is the broker that was asked for, so no event could travel. Install it "
            "(`sudo apt-get install rabbitmq-server`, `brew install rabbitmq`), or choose another broker."
        )
    epmd = shutil.which("epmd")
    if epmd is None:
        raise MissingToolError(
            "`epmd` was not found. It belongs to Erlang, on which RabbitMQ runs. Put it on the PATH, or choose another "
            "broker."
        )
    progress.done(f"rabbitmq-server {how} {server}")
    return RabbitMQ(server, epmd)


def _definitions(logins: Logins, password: str) -> dict[str, Any]:
    """The definitions that a node reads at its start: all users, as it makes no default user then, and permissions."""
    specs = [document["spec"] for document in yaml.safe_load_all(logins.permissions)]
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    passwords = {"choreography": password} | {spec["user"]: logins.passwords[spec["user"]] for spec in specs}
    return {
        "vhosts": [{"name": "/"}],
        "users": [
            {
                "name": user,
                "password_hash": _salted(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "administrator" if user == "choreography" else "",
            }
            for user, password in passwords.items()
        ],
        "permissions": [
            {"user": "choreography", "vhost": "/", **everything},
            *({"user": spec["user"], "vhost": spec["vhost"], **spec["permissions"]} for spec in specs),
        ],
    }


def _salted(password: str) -> str:
    """A password in the salted form that RabbitMQ stores."""
    salt = secrets.token_bytes(4)
    return b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _server() -> str | None:
    return str(_DEBIAN) if _DEBIAN.exists() else shutil.which("rabbitmq-server")


def _kept_secret(file: Path) -> str:
    """The password with which the node was made; a restart reads it again."""
    if not file.exists():
        file.touch(0o600)
        file.write_text(secrets.token_hex(24))
    return file.read_text()


def _version(server: str) -> str:
    """Read the version from the folder of the server's code: to ask the server would start an Erlang machine."""
    folders = [*Path(server).resolve().parents[1].glob("lib/rabbitmq_server-*"), Path(server).resolve().parents[1]]
    found = re.search(r"(\d+\.\d+\.\d+)", " ".join(str(folder.resolve()) for folder in folders))
    return found.group(1) if found else "of unknown version"
