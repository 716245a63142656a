"""Redis: from the PATH, the system's packages or a container."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from choreography.progress import Progress
from choreography.up.brokers.broker import BrokerPlace
from choreography.up.brokers.broker_users import Logins
from choreography.up.errors import MissingToolError
from choreography.up.probes import redis_ready
from choreography.up.processes import Program
from choreography.up.running_tools import ask
from choreography.up.servers import can_install, install

_IMAGE = "redis:7-alpine"

# A container must not outlive this process. Its standard input ends with this process, and the server ends with it.
_IN_CONTAINER = (
    'exec 3<&0; redis-server "$@" & server=$!; trap "kill $server" TERM; '
    "(cat >/dev/null; kill $server) <&3 & wait $server"
)

_CONFIGURATION: Final = "redis.conf"
_USER: Final = re.compile(r"^user (\S+) .*$", re.MULTILINE)


@dataclass(frozen=True)
class Redis:
    """Starts Redis: a program of this machine, or a container."""

    executable: str
    in_container: bool = False
    name: str = "redis"
    forgets: str = ""
    logins: Logins | None = None

    @property
    def version(self) -> str:
        """The server and its version."""
        return _IMAGE if self.in_container else _first_words(self.executable).replace("redis-server", "Redis")

    def programs(self, place: BrokerPlace) -> list[Program]:
        """The program that serves the run's data."""
        port, data = place.port(self.name), place.folder(self.name)
        if self.logins is not None:
            _write_users(data / _CONFIGURATION, self.logins)
        return [
            Program(
                name=self.name,
                command=self.command(port, data),
                log=place.log(self.name),
                ready=lambda: redis_ready(port),
                holds_stdin=self.in_container,
            )
        ]

    def told(self, port: int) -> Mapping[str, str]:
        """The address for sidecars."""
        return {"REDIS_HOST": self.address(port)}

    def address(self, port: int) -> str:
        """Host and port."""
        return f"127.0.0.1:{port}"

    def guarded(self, logins: Logins) -> Self:
        """The same server with these users, beside the default user without a password and with all permissions."""
        return replace(self, logins=logins)

    def login(self, place: BrokerPlace, app: str) -> Mapping[str, str]:  # noqa: ARG002 - all users come to one port
        """The user of an app, and its password."""
        if self.logins is None:
            return {}
        user, password = self.logins.of(app)
        return {"REDIS_USERNAME": user, "REDIS_PASSWORD": password}

    async def permit(self, place: BrokerPlace) -> None:
        """Do nothing: the server reads the permissions at its start."""

    def command(self, port: int, data: Path) -> list[str]:
        """The command that serves `data` on `port`."""
        # With anything less than appendfsync always, an acknowledged publish may be lost.
        safe = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        users = [] if self.logins is None else [_CONFIGURATION]
        if not self.in_container:
            own = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(data)]
            return [self.executable, *(str(data / file) for file in users), *own, *safe]
        return [
            *[self.executable, "run", "--rm", "--interactive", "--user", f"{os.getuid()}:{os.getgid()}"],
            *["--publish", f"127.0.0.1:{port}:6379", "--volume", f"{data}:/data", _IMAGE],
            *["sh", "-c", _IN_CONTAINER, "sh", *(f"/data/{file}" for file in users)],
            # The server listens on every address of the container, but only the port published above can be reached.
            *["--port", "6379", "--bind", "*", "--protected-mode", "no", "--dir", "/data", *safe],
        ]


def _write_users(file: Path, logins: Logins) -> None:
    """Write the rendered users with the digests of their passwords; the user `default` stays for inspection."""
    file.touch(0o600)
    file.write_text(_USER.sub(lambda line: f"{line[0]} #{logins.digest(line[1])}", logins.permissions))


def find_redis(progress: Progress) -> Redis:
    """Redis from the PATH, else from the system's packages, else from a container engine."""
    program = shutil.which("redis-server")
    if program is None and can_install():
        install(progress, "redis-server")
        program = shutil.which("redis-server")
        if program:
            progress.done(f"{_first_words(program)} installed with apt-get")
            return Redis(program)
    if program is not None:
        progress.done(f"{_first_words(program)} found at {program}")
        return Redis(program)
    docker = shutil.which("docker")
    if docker and ask([docker, "info"]) is not None:
        progress.done(f"Redis will run in a container ({_IMAGE}), as redis-server is not installed")
        return Redis(docker, in_container=True)
    raise MissingToolError(
        "redis-server was not found, and neither apt-get (as root) nor a running container engine can "
        "provide it. It is the broker of this flow, so no event could travel. Install it (`sudo apt-get "
        "install redis-server`, `brew install redis`) or start Docker, then start again."
    )


def _first_words(program: str) -> str:
    words = (ask([program, "--version"]) or "redis-server").split()
    return " ".join(["redis-server", *(word.removeprefix("v=") for word in words if word.startswith("v="))])
