"""Progress lines: the present step, and the seconds from the start of the command to the end of each step."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEARTBEAT = 30.0


@dataclass
class Progress:
    """Shows how far a long command is, to a person at a terminal or a reader of a build log."""

    console: Console = field(default_factory=lambda: Console(stderr=True))
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def silent(cls) -> Progress:
        """Return a progress that prints nothing, for tests."""
        return cls(Console(quiet=True))

    def done(self, what: str) -> None:
        """Print one finished step."""
        elapsed = time.monotonic() - self.began
        self.console.print(f"[dim]{elapsed:7.1f} s[/]  [green]✓[/] {escape(what)}", soft_wrap=True)

    def note(self, what: str) -> None:
        """Print a remark that is not a finished step."""
        elapsed = time.monotonic() - self.began
        self.console.print(f"[dim]{elapsed:7.1f} s[/]    {escape(what)}", soft_wrap=True)

    @contextmanager
    def doing(self, what: str) -> Iterator[Ticker]:
        """Show a step that takes so long that a person would wonder whether it has hung."""
        if not self.console.is_terminal:
            self.note(f"{what} ...")
            yield Ticker(self, what)
            return
        with self.console.status(escape(what)) as status:
            yield Ticker(self, what, show=status.update)


@dataclass
class Ticker:
    """Shows during one long step that it still runs."""

    progress: Progress
    what: str
    began: float = field(default_factory=time.monotonic)
    printed: float = field(default_factory=time.monotonic)
    show: object = None

    def tick(self, detail: str) -> None:
        """Print the present activity of the step: at once on a terminal, now and then in a log."""
        now = time.monotonic()
        text = f"{self.what}: {now - self.began:.0f} s, now {detail[:70]}"
        if callable(self.show):
            self.show(escape(text))
        elif now - self.printed > _HEARTBEAT:
            self.printed = now
            self.progress.note(text)
