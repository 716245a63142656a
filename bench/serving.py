"""Serves one service of a system that has no server of its own."""

import importlib
import os
import sys

import uvicorn


def serve(system: str) -> None:
    """Serve the service named on the command line, with its HTTP routes and its subscribers."""
    module = importlib.import_module(f"{system}.{sys.argv[1]}")
    port = int(os.environ["APP_PORT"])
    # Connections stay open as long as this project keeps them, or the server would close idle ones during the load.
    uvicorn.run(module.app, port=port, access_log=False, log_level="warning", timeout_keep_alive=75)
