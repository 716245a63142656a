"""EventBridge, emulated, and the component by which a sidecar reaches it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from choreography.provision.eventbridge import component_folder
from choreography.up.brokers import moto
from choreography.up.brokers.broker import SOCKETS_FOLDER, Place
from choreography.up.errors import MissingToolError
from choreography.up.probes import listening_at
from choreography.up.processes import Program
from choreography.up.progress import Progress

_SOCKET: Final = "aws.eventbridge.sock"
_LONGEST_PATH: Final = 100  # of a socket; the kernel takes 107 bytes


@dataclass(frozen=True)
class EventBridge(moto.Emulated):
    """How to start an emulator of AWS, and a component beside each sidecar."""

    component_of_dapr: Path
    name: str = "eventbridge"
    forgets: str = moto.FORGETS

    def component(self, place: Place, sidecar: str, port: int) -> Program:
        """The component of one sidecar: it cannot tell the calls of two apart, so they cannot share one."""
        sockets = _sockets(place, sidecar)
        return Program(
            name=f"{sidecar}-component",
            command=[sys.executable, "-m", self.component_of_dapr.name],
            folder=self.component_of_dapr.parent,
            log=place.log(f"{sidecar}-component"),
            environment={**moto.told(port), SOCKETS_FOLDER: str(sockets), "PYTHONUNBUFFERED": "1"},
            ready=lambda: listening_at(sockets / _SOCKET),
        )


def find_eventbridge(progress: Progress) -> EventBridge:
    """The emulator of this Python environment, and the component of this project."""
    moto.require_moto(progress)
    folder = component_folder()
    if folder is None:
        raise MissingToolError(
            "components/eventbridge is not there. Dapr has no component for EventBridge, so sidecars could not reach "
            "the broker that was asked for. Copy the folder from the Choreography repository."
        )
    if importlib.util.find_spec("grpc_reflection") is None:
        raise MissingToolError(
            "grpcio-reflection was not found in this Python environment, and without it a sidecar finds no component. "
            "Install it (`pip install 'choreography[provision,brokers]'`), or choose another broker."
        )
    progress.done(f"the component for EventBridge found in {folder}")
    return EventBridge(folder)


def _sockets(place: Place, sidecar: str) -> Path:
    """A folder for the socket of one sidecar: in the run folder, unless its path is too long for a socket."""
    run = place.folder("sockets")
    folder = run / sidecar
    if len(os.fsencode(folder / _SOCKET)) > _LONGEST_PATH:
        digest = hashlib.sha256(os.fsencode(run)).hexdigest()[:10]
        folder = Path(tempfile.gettempdir()) / f"choreography-{os.getuid()}-{digest}" / sidecar
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
