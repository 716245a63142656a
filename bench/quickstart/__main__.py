"""Serve one service: ``python -m bench.quickstart order``."""

import importlib
import os
import sys

import uvicorn


def main() -> None:
    """Serve it where the sidecar expects it."""
    module = importlib.import_module(f"bench.quickstart.{sys.argv[1]}")
    uvicorn.run(module.app, port=int(os.environ["APP_PORT"]), access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
