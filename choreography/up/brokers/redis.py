"""Redis: from the PATH, the system's packages or a container."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from choreography.up.brokers.broker import Place
from choreography.up.commands import ask
from choreography.up.errors import MissingToolError
from choreography.up.probes import redis_ready
from choreography.up.processes import Program
from choreography.up.progress import Progress
from choreography.up.servers import can_install, install

_IMAGE = "redis:7-alpine"

# A container must not outlive us. Its standard input does not: when that ends, so does the server in it.
_IN_CONTAINER = (
    'exec 3<&0; redis-server "$@" & server=$!; trap "kill $server" TERM; '
    "(cat >/dev/null; kill $server) <&3 & wait $server"
)


@dataclass(frozen=True)
class Redis:
    """How to start Redis: a program of this machine, or one in a container."""

    executable: str
    in_container: bool = False
    name: str = "redis"
    forgets: str = ""

    @property
    def version(self) -> str:
        """The server and its version."""
        return _IMAGE if self.in_container else _first_words(self.executable).replace("redis-server", "Redis")

    def programs(self, place: Place) -> list[Program]:
        """The program that serves the run's data."""
        port = place.port(self.name)
        return [
            Program(
                name=self.name,
                command=self.command(port, place.folder(self.name)),
                log=place.log(self.name),
                ready=lambda: redis_ready(port),
                holds_stdin=self.in_container,
            )
        ]

    def told(self, port: int) -> Mapping[str, str]:
        """Where sidecars find it."""
        return {"REDIS_HOST": self.address(port)}

    def address(self, port: int) -> str:
        """Host and port."""
        return f"127.0.0.1:{port}"

    def command(self, port: int, data: Path) -> list[str]:
        """The command that serves `data` on `port`."""
        # With anything less than appendfsync always, an acknowledged publish may be lost.
        safe = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        if not self.in_container:
            own = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(data)]
            return [self.executable, *own, *safe]
        return [
            *[self.executable, "run", "--rm", "--interactive", "--user", f"{os.getuid()}:{os.getgid()}"],
            *["--publish", f"127.0.0.1:{port}:6379", "--volume", f"{data}:/data", _IMAGE],
            *["sh", "-c", _IN_CONTAINER, "sh"],
            # Every address of the container, of which only the one published above can be reached.
            *["--port", "6379", "--bind", "*", "--protected-mode", "no", "--dir", "/data", *safe],
        ]


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
