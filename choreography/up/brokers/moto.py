"""An emulator of AWS that speaks real HTTP: moto, from this Python environment."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from choreography.progress import Progress
from choreography.up.brokers.broker import BrokerPlace
from choreography.up.errors import MissingToolError
from choreography.up.probes import http_ready
from choreography.up.processes import Program
from choreography.up.sidecars import LOOPBACK

REGION: Final = "eu-west-1"
"""Any would do: the emulator has all of them."""

_KEY: Final = "emulated"  # the emulator takes every key, but the clients of AWS insist on one

FORGETS: Final = "the emulator keeps everything in memory, and a restart forgets it; AWS itself does not"


def require_moto(progress: Progress) -> None:
    """Check that moto is installed, with its server.

    Raises:
        MissingToolError: it is not installed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("moto", "flask", "aiobotocore")):
        raise MissingToolError(
            "moto[server] was not found in this Python environment. It emulates the broker that was asked for, so no "
            "event could travel. Install it (`pip install 'choreography[provision,brokers]'`), or choose another one."
        )
    progress.done(f"{server_version()} will emulate AWS; it forgets everything when it stops")


def server_version() -> str:
    """The name and version of the emulator."""
    return f"moto {version('moto')}"


def server(place: BrokerPlace, name: str) -> Program:
    """The program that emulates AWS."""
    port = place.port(name)
    return Program(
        name=name,
        command=[sys.executable, "-m", "moto.server", "--host", LOOPBACK, "--port", str(port)],
        log=place.log(name),
        ready=lambda: http_ready(f"http://{LOOPBACK}:{port}/moto-api/data.json"),
    )


def told(port: int) -> Mapping[str, str]:
    """The variables by which sidecars and components reach it."""
    return {
        "AWS_ENDPOINT": f"http://{LOOPBACK}:{port}",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _KEY,
    }


def address(port: int) -> str:
    """The address for `choreography provision`."""
    return f"http://{_KEY}:{_KEY}@{LOOPBACK}:{port}/{REGION}"


class Emulated:
    """The common part of the AWS brokers: the same emulator, under the name of each."""

    name: str

    @property
    def version(self) -> str:
        """The server and its version."""
        return server_version()

    def programs(self, place: BrokerPlace) -> list[Program]:
        """The emulator."""
        return [server(place, self.name)]

    def told(self, port: int) -> Mapping[str, str]:
        """The variables by which sidecars reach it, with a key that it accepts."""
        return told(port)

    def address(self, port: int) -> str:
        """The address for `choreography provision`."""
        return address(port)
