"""Serving one service of a system that brings no server of its own."""

import importlib
import os
import sys

import uvicorn


def serve(system: str) -> None:
    """Serve the service named on the command line, with its HTTP routes and its subscribers."""
    module = importlib.import_module(f"{system}.{sys.argv[1]}")
    port = int(os.environ["APP_PORT"])
    # Connections are kept as long as this project keeps them, or idle ones would be closed under the load's feet.
    uvicorn.run(module.app, port=port, access_log=False, log_level="warning", timeout_keep_alive=75)
