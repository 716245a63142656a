"""The acts of the rehearsal, in their order, each with its own bar."""

import time
from collections.abc import Iterable
from typing import Protocol

import aiohttp
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from apps.checkout.rehearsal._acts import Acts
from apps.checkout.rehearsal._plan import plan
from apps.checkout.rehearsal._report import announce, curtain, stopped
from apps.checkout.rehearsal._shop import RehearsalError, Shop
from choreography import ChoreographyError

ADDRESSED = ("order", "inventory", "payment_provider")


class RunningFlow(Protocol):
    """What the rehearsal needs to know of a running flow."""

    def address(self, name: str) -> str:
        """Return the base URL of a service by its name."""


async def rehearse(flow: RunningFlow, orders: int, console: Console) -> bool:
    """Run the rehearsal on the flow and show it; true when every rule holds."""
    run = f"run{time.time_ns() // 1_000_000:x}"
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
    return curtain(console, evidence, acts.pace(), shop.asked_again, _places(flow))


def _bars(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(style="cyan", finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20, complete_style="cyan", finished_style="green"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
        console=console,
    )


def _places(flow: RunningFlow) -> dict[str, str]:
    places = {
        "Orders": f"{flow.address('order')}/docs",
        "Payments": f"{flow.address('payment_provider')}/docs",
    }
    try:
        return places | {"Traces": flow.address("zipkin")}
    except (ChoreographyError, LookupError):
        # A flow may run without tracing; nothing here depends on it.
        return places


def _leaves(errors: Iterable[BaseException]) -> Iterable[BaseException]:
    for error in errors:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error.exceptions)
        else:
            yield error
