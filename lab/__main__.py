"""`make cluster`: a Kubernetes with Dapr until Ctrl-C, and how to use it. With `--obtain` only what it is made of."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from choreography.errors import ChoreographyError
from choreography.progress import Progress
from lab import obtain, running

if TYPE_CHECKING:
    from lab.cluster import Cluster

FOLDER = Path(".run") / "cluster"


async def run(console: Console) -> None:
    """Start the cluster, print how to use it, and stay until a signal."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(asked, task.cancel if task else print)
    async with running(FOLDER, Progress(console)) as cluster:
        show(cluster, console)
        raise await cluster.until_death()


def show(cluster: Cluster, console: Console) -> None:
    """Print the commands for another terminal."""
    console.print("\nUse it from another terminal:\n")
    for name, value in cluster.environment.items():
        said = value.replace(os.environ["PATH"], "$PATH")
        console.print(f"  export {name}={said}", soft_wrap=True, highlight=False, markup=False)
    console.print("\nCtrl-C stops it; nothing of it stays.", highlight=False)


def main() -> None:
    """Run until Ctrl-C."""
    console = Console()
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--obtain", action="store_true", help="find or build the programs of a cluster, and end")
    try:
        if parser.parse_args().obtain:
            obtain(Progress(console))
            return
        asyncio.run(run(console))
    except asyncio.CancelledError:
        console.print("stopped")
    except ChoreographyError as error:
        Console(stderr=True).print(f"\n{error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
