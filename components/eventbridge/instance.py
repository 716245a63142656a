"""What one component file of one sidecar became."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from .aws import Aws
from .publishing import Publisher
from .routes import Line, Routes
from .settings import Settings


class Instance:
    """Clients, publisher and streams that belong together.

    Attributes:
        settings: what the file says.
        routes: what must be there before an event is put.
        publisher: publishes for the sidecar.
        running: is clear while the sidecar wants no new messages.
    """

    def __init__(self, settings: Settings, aws: Aws) -> None:
        self.settings, self.aws = settings, aws
        self.routes = Routes(aws, settings)
        self.publisher = Publisher(aws, settings, self.routes)
        self.running = asyncio.Event()
        self.running.set()
        self._streams = 0
        self._had_streams = False
        self._no_streams = asyncio.Event()
        self._no_streams.set()

    @classmethod
    async def open(cls, settings: Settings) -> Instance:
        """Make the clients; AWS is not asked for anything yet, so it need not be there."""
        return cls(settings, await Aws(settings).__aenter__())

    @contextmanager
    def stream(self) -> Iterator[Line]:
        """Count a stream for as long as the block lasts."""
        self._streams += 1
        self._had_streams = True
        self._no_streams.clear()
        try:
            with self.routes.line() as line:
                yield line
        finally:
            self._streams -= 1
            if not self._streams:
                self._no_streams.set()

    @property
    def is_over(self) -> bool:
        """Whether its sidecar subscribed once and does so no more."""
        return self._had_streams and not self._streams

    async def close(self) -> None:
        """Close the clients, once the last stream has given back what it had taken."""
        await self._no_streams.wait()
        await self.aws.__aexit__()
