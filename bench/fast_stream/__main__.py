"""Serve one service: ``python -m bench.fast_stream order``."""

import importlib
import os
import sys

import uvicorn


def main() -> None:
    """Serve its HTTP routes, and its subscribers with them."""
    module = importlib.import_module(f"bench.fast_stream.{sys.argv[1]}")
    uvicorn.run(module.app, port=int(os.environ["APP_PORT"]), access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
