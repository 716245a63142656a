"""Runs the checkout of one tree of this repository until its input ends, and prints its addresses.

It runs with that tree's library on its path, for any commit. So it imports no module of this bench, and only those
parts of the library that every release has.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import choreography
from choreography.up import RunningFlow

SERVICES = ("order", "inventory", "billing", "shipping", "notification")
SERVERS = {"broker": "redis", "database": "postgres", "provider": "payment-provider", "scheduler": "scheduler"}


async def main(tree: Path, folder: Path, *, traced: bool) -> None:
    """Start everything, print one line of JSON, and stop when the input is closed."""
    flow = RunningFlow(tree / "apps" / "checkout", folder, store="postgres", zipkin=traced, drain=False)
    servers = SERVERS | ({"collector": "zipkin"} if traced else {})
    async with flow:
        pids = {
            "services": {name: flow.pid(name) for name in SERVICES},
            "sidecars": {f"{name}-sidecar": flow.pid(f"{name}-sidecar") for name in SERVICES},
            **{group: {name: flow.pid(name)} for group, name in servers.items()},
        }
        stage = {
            "orders": [flow.address("order")],
            "inventory": flow.address("inventory"),
            "provider": flow.address("payment-provider"),
            "redis_port": flow.redis_port,
            "pids": pids,
            "library": choreography.__file__,
        }
        sys.stdout.write(json.dumps(stage) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), traced="--traced" in sys.argv[3:]))
