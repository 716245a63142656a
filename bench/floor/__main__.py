"""Serve one service: ``python -m bench.floor order``."""

import os
import sys

import uvicorn

from bench.floor.service import Floor


def main() -> None:
    """Serve it where the sidecar expects it."""
    app = Floor(sys.argv[1])
    uvicorn.run(app, port=int(os.environ["APP_PORT"]), access_log=False, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()
