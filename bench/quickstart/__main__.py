"""Serve one service: ``python -m bench.quickstart order``."""

import importlib
import os
import sys

import uvicorn


def main() -> None:
    """Serve it where the sidecar expects it."""
    module = importlib.import_module(f"bench.quickstart.{sys.argv[1]}")
    port = int(os.environ["APP_PORT"])
    # Connections are kept as long as this project keeps them, or idle ones would be closed under the load's feet.
    uvicorn.run(module.app, port=port, access_log=False, log_level="warning", timeout_keep_alive=75)


if __name__ == "__main__":
    main()
