"""`choreography up`: rehearses a flow that runs on this machine, and stops all processes in order, however it ends."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
from collections.abc import Coroutine
from pathlib import Path

from rich.console import Console
from rich.table import Table

from choreography.authored import import_authored
from choreography.flow import package_at
from choreography.settings import Settings
from choreography.up.running_flow import RunningFlow


def run(flow: RunningFlow, folder: Path, orders: int, console: Console, *, leave: bool) -> int:
    """Start a flow, rehearse it and, unless it shall end then, serve it until a signal. Return the exit code."""
    return _run_until_signal(_perform(flow, package_at(folder), orders, console, leave=leave))


async def _perform(flow: RunningFlow, package: str, orders: int, console: Console, *, leave: bool) -> int:
    async with flow:
        death = asyncio.create_task(flow.until_death())
        rehearsal = asyncio.create_task(_rehearse(flow, package, orders, console))
        try:
            await asyncio.wait({death, rehearsal}, return_when=asyncio.FIRST_COMPLETED)
            if death.done():
                raise death.result()
            passed = await rehearsal
            if not leave:
                _show_addresses(flow, console)
                raise await death
            return 0 if passed else 1
        finally:
            for task in (death, rehearsal):
                task.cancel()
            await asyncio.gather(death, rehearsal, return_exceptions=True)


async def _rehearse(flow: RunningFlow, package: str, orders: int, console: Console) -> bool:
    """Run the flow's own rehearsal, if it has one."""
    if not package or importlib.util.find_spec(f"{package}.rehearsal") is None:
        return True
    if not Settings.from_environment().intake_open:
        console.print("The intake is closed (CHOREOGRAPHY_INTAKE), so nothing is ordered and nothing is rehearsed.")
        return True
    rehearsal = import_authored(f"{package}.rehearsal")
    return bool(await rehearsal.rehearse(flow, orders, console))


def _show_addresses(flow: RunningFlow, console: Console) -> None:
    table = Table("open", "at", title=f"{flow.file.name} is up", title_justify="left")
    for service in flow.services:
        table.add_row(service, f"{flow.address(service)}/docs")
    for other in flow.file.outside:
        table.add_row(other.name, f"{flow.address(other.name)}/docs")
    if flow.zipkin:
        table.add_row("traces", f"{flow.address('zipkin')}/zipkin/")
    table.add_row("logs and state", f"{flow.run_folder}")
    console.print(table)
    console.print("Ctrl-C stops everything; the state is kept and found again.")
    if not Settings.from_environment().intake_open:
        console.print(f"To see it drained:\n  {_drain_command(flow)}", markup=False, highlight=False, soft_wrap=True)


def _drain_command(flow: RunningFlow) -> str:
    at = flow.broker_at
    management = f" --management {at.management}" if at.management else ""
    replicas = "".join(f" --replica {flow.address(service)}" for service in flow.services)
    resources = os.path.relpath(flow.file.resources_for(flow.broker))
    return f"choreography drain {resources} --address {at.address}{management}{replicas} --grace 0s"


def _run_until_signal(work: Coroutine[None, None, int]) -> int:
    """Run until the work is done or a signal arrives; before a signal takes effect, everything is stopped in order."""
    ended_by: list[signal.Signals] = []

    async def run() -> int:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def end(by: signal.Signals) -> None:
            ended_by.append(by)
            if task is not None and len(ended_by) == 1:
                task.cancel()

        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(asked, end, asked)
        return await work

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        return 128 + ended_by[0] if ended_by else 1
