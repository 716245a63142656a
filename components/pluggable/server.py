"""The process of a component: serves a socket in the folder where a sidecar looks for components, until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import grpc
from grpc_reflection.v1alpha import reflection

from .errors import ComponentError
from .log import LOG
from .proto import pubsub_pb2, pubsub_pb2_grpc
from .service import PubSubService
from .sidecar import ask_to_restart

SOCKETS_FOLDER: Final = "DAPR_COMPONENTS_SOCKETS_FOLDER"
_DEFAULT_FOLDER: Final = "/tmp/dapr-components-sockets"  # noqa: S108 - the folder that a sidecar searches
UNLIMITED: Final = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
"""A bulk publish of many large events is one message; the socket never leaves the pod."""

_LONGEST_PATH: Final = 100
_CLOSING_WITHIN: Final = 10.0


def socket_path(kind: str) -> Path:
    """Return the socket path of the type ``pubsub.<kind>``: a sidecar takes the type from the file's name."""
    return Path(os.environ.get(SOCKETS_FOLDER) or _DEFAULT_FOLDER) / f"{kind}.sock"


async def serve(service: PubSubService, kinds: Sequence[str], sidecar: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        service: the gRPC service.
        kinds: the types of the component without ``pubsub.``; a renamed component has its former type, too.
        sidecar: the variable with the address of the sidecar to restart after a crash of this process.

    Raises:
        ComponentError: the path of a socket is too long, or another process serves there.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    paths = [socket_path(kind) for kind in kinds]
    was_there_before = [each for each in paths if _clear(each)]
    server = grpc.aio.server(options=UNLIMITED)
    pubsub_pb2_grpc.add_PubSubServicer_to_server(service, server)  # type: ignore[no-untyped-call] # generated
    names = (pubsub_pb2.DESCRIPTOR.services_by_name["PubSub"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    for each in paths:
        server.add_insecure_port(f"unix:{each}")
    await server.start()
    LOG.info("serving at %s", paths[0])
    if was_there_before:
        await ask_to_restart(sidecar)
    await stop.wait()
    LOG.info("ending; what was taken and not acknowledged is given back")
    await server.stop(None)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSING_WITHIN):
            await service.close()
    for each in paths:
        each.unlink(missing_ok=True)


def _clear(path: Path) -> bool:
    """Remove an old socket. Return whether a process that died had left one there."""
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise ComponentError(f"{path} is too long for a socket. Name a shorter folder in {SOCKETS_FOLDER}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return True
    raise ComponentError(f"Another process serves {path}. End it, or name another folder in {SOCKETS_FOLDER}.")
