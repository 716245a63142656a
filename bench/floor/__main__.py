"""Serve one service: ``python -m bench.floor order``."""

import os
import sys

import uvicorn

from bench.floor.service import Floor


def main() -> None:
    """Serve it where the sidecar expects it."""
    app = Floor(sys.argv[1])
    port = int(os.environ["APP_PORT"])
    # Connections are kept as long as this project keeps them, or idle ones would be closed under the load's feet.
    uvicorn.run(app, port=port, access_log=False, log_level="warning", timeout_keep_alive=75, lifespan="off")


if __name__ == "__main__":
    main()
