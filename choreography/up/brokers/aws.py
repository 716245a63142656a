"""SNS and SQS, emulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from choreography.up.brokers import moto
from choreography.up.brokers.broker import Place
from choreography.up.processes import Program
from choreography.up.progress import Progress


@dataclass(frozen=True)
class Aws:
    """How to start an emulator of AWS."""

    name: str = "aws"
    forgets: str = moto.FORGETS

    @property
    def version(self) -> str:
        """The server and its version."""
        return moto.server_version()

    def programs(self, place: Place) -> list[Program]:
        """The emulator."""
        return [moto.server(place, self.name)]

    def told(self, port: int) -> Mapping[str, str]:
        """Where sidecars find it, and a key that it takes."""
        return moto.told(port)

    def address(self, port: int) -> str:
        """Where `choreography provision` finds it."""
        return moto.address(port)


def find_aws(progress: Progress) -> Aws:
    """The emulator of this Python environment."""
    moto.require_moto(progress)
    return Aws()
