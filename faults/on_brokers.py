"""The rehearsal on each broker while a service, a sidecar and the broker are killed: ``python -m faults.on_brokers``.

The long fault run (``python -m faults``) reads the books of Redis and PostgreSQL themselves. Here the rehearsal judges,
as a customer and an auditor would: every order ended, every cent and every piece is accounted for.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from apps.checkout.rehearsal import rehearse
from choreography.progress import Progress
from choreography.up import RunningFlow, prepare
from choreography.up.brokers import BROKERS

_KEEPING: Final = ("redis", "kafka", "rabbitmq", "nats", "nats-pull")
"""Those that run as they would anywhere; an emulator keeps nothing, and takes minutes for what is seconds elsewhere."""

_PAUSE: Final = 1.5


async def hurt(flow: RunningFlow, console: Console) -> int:
    """Kill one process after another and start it again. Return how many were killed."""
    killed = 0
    for name in ("inventory", "shipping-sidecar", "billing", "order-sidecar", flow.broker):
        if name == flow.broker and flow.broker_forgets:
            console.print(f"  {name} is not killed: {flow.broker_forgets}", highlight=False)
            continue
        await asyncio.sleep(_PAUSE)
        console.print(f"  kill -9 {name}", style="red", highlight=False)
        await flow.kill(name)
        await asyncio.sleep(0.5)
        await flow.start(name)
        killed += 1
    return killed


async def rehearse_hurt(broker: str, orders: int, folder: Path, console: Console) -> bool:
    """Rehearse on one broker during faults. True if everything holds."""
    shutil.rmtree(folder, ignore_errors=True)
    flow = RunningFlow("apps/checkout", folder, broker=broker, store="postgres", drain=False)
    await asyncio.to_thread(flow.prepare)
    async with flow:
        hurting = asyncio.create_task(hurt(flow, console))
        try:
            holds = await rehearse(flow, orders, console)
            # Orders must come during all faults, and the last orders after the last fault.
            while holds and not hurting.done():
                holds = await rehearse(flow, orders, console)
            killed = await hurting
        finally:
            hurting.cancel()
            await asyncio.gather(hurting, return_exceptions=True)
    console.print(f"{broker}: {killed} killed, {'everything holds' if holds else 'NOT everything holds'}")
    return holds


def main(words: Sequence[str] | None = None) -> int:
    """Rehearse on every named broker, or on all brokers that keep something. Return 1 if anything does not hold."""
    parser = argparse.ArgumentParser(prog="python -m faults.on_brokers", description=__doc__)
    parser.add_argument("brokers", nargs="*", help=f"some of {', '.join(BROKERS)}; else {', '.join(_KEEPING)}")
    parser.add_argument("--orders", type=int, default=300)
    options = parser.parse_args(words)
    if unknown := [name for name in options.brokers if name not in BROKERS]:
        parser.error(f"nobody knows {', '.join(unknown)}; known are {', '.join(BROKERS)}")
    console = Console()
    failed = []
    for broker in options.brokers or _KEEPING:
        prepare(Progress(console), broker=broker, store="postgres", zipkin=False)
        folder = Path(".run") / "hurt" / broker
        if not asyncio.run(rehearse_hurt(broker, options.orders, folder, console)):
            failed.append(broker)
    if failed:
        console.print(f"failed: {', '.join(failed)}", style="red")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
