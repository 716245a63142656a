"""The acts of the rehearsal, in their order, each with its own bar."""

import secrets
from collections.abc import Iterable
from typing import Protocol

import aiohttp
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from apps.checkout.rehearsal._acts import Acts
from apps.checkout.rehearsal._plan import plan
from apps.checkout.rehearsal._report import announce, curtain, stopped
from apps.checkout.rehearsal._shop import RehearsalError, Shop

WIDE = 96
ADDRESSED = ("order", "inventory", "payment-provider")


class RunningFlow(Protocol):
    """What the rehearsal needs to know of a running flow."""

    def address(self, name: str) -> str:
        """Return the base URL of a service by its name."""


async def rehearse(flow: RunningFlow, orders: int, console: Console) -> bool:
    """Run the rehearsal on the flow and show it; true when every rule holds."""
    run = f"run-{secrets.token_hex(8)}"
    announce(console, orders, run)
    failures: list[BaseException] = []
    holds = False
    try:
        holds = await _perform(flow, run, orders, console)
    except* RehearsalError as group:
        failures.extend(_leaves(group.exceptions))
    if failures:
        stopped(console, str(failures[0]))
    return holds and not failures


async def _perform(flow: RunningFlow, run: str, orders: int, console: Console) -> bool:
    order, inventory, provider = (flow.address(name) for name in ADDRESSED)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        shop = Shop(session, order=order, inventory=inventory, provider=provider)
        with _bars(console) as bars:
            acts = Acts(shop, plan(run, orders), run, bars)
            evidence = await acts.play()
    return curtain(console, evidence, acts.pace(), shop.asked_again)


def _bars(console: Console) -> Progress:
    columns: list[ProgressColumn] = [
        SpinnerColumn(style="cyan", finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    ]
    if console.width >= WIDE:
        bar = BarColumn(bar_width=20, complete_style="cyan", finished_style="green")
        columns[2:3] = [bar, MofNCompleteColumn(), TimeElapsedColumn()]
    return Progress(*columns, console=console)


def _leaves(errors: Iterable[BaseException]) -> Iterable[BaseException]:
    for error in errors:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error.exceptions)
        else:
            yield error
