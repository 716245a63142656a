"""Shows what a flow is still waiting for: as a table that changes on a terminal, as lines in a log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from choreography.drain.rounds import Round

_BETWEEN_LINES: Final = 10.0
_MOST_TOLD: Final = 6


class Teller:
    """Shows each round while it lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._told, self._line = 0.0, ""
        self._live = Live(console=console, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, one: Round) -> None:
        """Show the messages and replicas that the drain still waits for."""
        if self._live:
            self._live.update(picture(one, time.monotonic() - self._began))
            return
        now, line = time.monotonic(), in_a_line(one)
        # A changed line is written at once, but not so often that the log holds nothing else.
        if line != self._line and (not self._line or now - self._told > _BETWEEN_LINES):
            self._told, self._line = now, line
            self.say(f"{now - self._began:5.0f} s  {line}")

    def say(self, text: str, style: str = "") -> None:
        """Print a permanent line."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def picture(one: Round, seconds: float) -> Group:
    """Return the remaining messages, topic by topic and service by service, with the other obstacles below."""
    table = Table("topic", "service", title=f"draining for {seconds:.0f} s", title_justify="left")
    table.add_column("waiting", justify="right")
    table.add_column("in hand", justify="right")
    for left in one.left:
        table.add_row(left.topic, left.app, f"{left.waiting:,}", f"{left.in_hand:,}")
    others = list(one.obstacles())[: -len(one.left) or None]
    told = "\n".join(others) or ("" if one.left else "nothing is left; looking once more")
    return Group(table, Text(told))


def in_a_line(one: Round) -> str:
    """Return the obstacles in one line; only the first ones if there are many."""
    told = list(one.obstacles())
    if not told:
        return "nothing is left; looking once more"
    more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    return "waits: " + "; ".join(told[:_MOST_TOLD]) + more
