"""The process beside each sidecar for a broker that needs a component of this project."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from choreography.progress import Progress
from choreography.provision.own_components import command_of, component_folder
from choreography.up.brokers.broker import SOCKETS_FOLDER, BrokerPlace
from choreography.up.errors import MissingToolError
from choreography.up.probes import listening_at
from choreography.up.processes import Program

_LONGEST_PATH: Final = 100  # of a socket; the kernel takes 107 bytes


def component_beside(
    folder: Path, kind: str, place: BrokerPlace, sidecar: str, environment: Mapping[str, str] | None = None
) -> Program:
    """Return the component process of one sidecar. It cannot distinguish two sidecars, so they cannot share one.

    Args:
        folder: its folder in components/.
        kind: its type without ``pubsub.``, which names its socket.
        place: the place of logs and sockets.
        sidecar: the name of the sidecar.
        environment: further variables of the process.
    """
    socket = f"{kind}.sock"
    sockets = _sockets(place, sidecar, socket)
    return Program(
        name=f"{sidecar}-component",
        command=command_of(folder),
        folder=folder.parents[1],
        log=place.log(f"{sidecar}-component"),
        environment={**(environment or {}), SOCKETS_FOLDER: str(sockets), "PYTHONUNBUFFERED": "1"},
        ready=lambda: listening_at(sockets / socket),
    )


def require_component(progress: Progress, name: str, broker: str) -> Path:
    """Return the folder of a component in components/.

    Raises:
        MissingToolError: the component cannot be started.
    """
    folder = component_folder(name)
    if folder is None:
        raise MissingToolError(
            f"components/{name} is not there, so sidecars could not reach {broker} by it, which was asked for. Copy "
            f"the folders components/pluggable and components/{name} from the Choreography repository."
        )
    if importlib.util.find_spec("grpc_reflection") is None:
        raise MissingToolError(
            "grpcio-reflection was not found in this Python environment, and without it a sidecar finds no component. "
            "Install it (`pip install 'choreography[provision,brokers]'`), or choose another broker."
        )
    progress.done(f"the component for {broker} found in {folder}")
    return folder


def _sockets(place: BrokerPlace, sidecar: str, socket: str) -> Path:
    """Return the folder of one sidecar's socket: in the run folder, unless this path is too long for a socket."""
    run = place.folder("sockets")
    folder = run / sidecar
    if len(os.fsencode(folder / socket)) > _LONGEST_PATH:
        digest = hashlib.sha256(os.fsencode(run)).hexdigest()[:10]
        folder = Path(tempfile.gettempdir()) / f"choreography-{os.getuid()}-{digest}" / sidecar
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
