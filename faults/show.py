"""The display of a run: the current fault, and how many orders are sent and end all the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from faults.audit import Finding
from faults.menu import Fault
from faults.watching import Suffered

_HEARTBEAT = 15.0
_SHOWN_OFFENDERS = 5


@dataclass
class Show:
    """A line that changes on a terminal; a line per fault in a log."""

    console: Console
    faults: int = 0
    began: float = field(default_factory=time.monotonic)
    _now: str = "starting"
    _since: float = field(default_factory=time.monotonic)
    _line: str = ""
    _done: int = 0
    _printed: float = 0.0
    _live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(console=self.console, get_renderable=self._picture, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def phase(self, what: str) -> None:
        """Show the current phase of the run."""
        self._now, self._since = what, time.monotonic()
        self.console.print(f"[dim]{time.monotonic() - self.began:7.1f} s[/]    {escape(what)}", soft_wrap=True)

    def begins(self, fault: Fault) -> None:
        """Show that a fault begins."""
        self._now, self._since = fault.name, time.monotonic()

    def ends(self, suffered: Suffered) -> None:
        """Show that a fault is over."""
        self._done += 1
        self._now, self._since = "healthy", time.monotonic()
        if suffered.skipped:
            self.console.print(f"  [yellow]-[/] {escape(suffered.name)}: {escape(suffered.skipped)}", soft_wrap=True)
            return
        seconds = suffered.ended - suffered.began
        self.console.print(f"  [green]✓[/] {suffered.name} [dim]({seconds:.0f} s) {self._line}[/]", soft_wrap=True)

    def figures(self, sent: int, ended: int, sent_rate: float, ended_rate: float, restarts: int) -> None:
        """Show the newest figures."""
        died = f", {restarts} restarted after dying by themselves" if restarts else ""
        self._line = f"{sent:,} sent {sent_rate:.0f}/s, {ended:,} ended {ended_rate:.0f}/s{died}"
        if self._live is None and time.monotonic() - self._printed > _HEARTBEAT:
            self._printed = time.monotonic()
            self.console.print(f"    [dim]{self._now}: {self._line}[/]", soft_wrap=True)

    def verdict(self, title: str, findings: Sequence[Finding]) -> None:
        """Show the auditor's findings."""
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        table.add_column("")
        table.add_column("rule")
        table.add_column("looked at", justify="right")
        for one in findings:
            mark = "[green]✓[/]" if one.holds else "[red]✗[/]"
            table.add_row(mark, escape(one.rule), f"{one.looked_at:,}")
            for offender in one.offenders[:_SHOWN_OFFENDERS]:
                table.add_row("", f"[red]{escape(offender[:300])}[/]", "")
            if len(one.offenders) > _SHOWN_OFFENDERS:
                table.add_row("", f"[red]and {len(one.offenders) - _SHOWN_OFFENDERS:,} more[/]", "")
        self.console.print(table)

    def _picture(self) -> Group:
        seconds = time.monotonic() - self._since
        head = Text.assemble(
            (f" {self._done}/{self.faults} ", "bold"), (self._now, "bold cyan"), (f"  {seconds:.0f} s  ", "dim")
        )
        return Group(head, Text(f" {self._line}", style="dim"))
