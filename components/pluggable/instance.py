"""What one component file of one sidecar became, as the service that a sidecar calls sees it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from .messages import Delivery, Failure, Outgoing


class Subscription(Protocol):
    """How one consumer hears one topic: at least once, until the caller closes the iterator."""

    def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Yield messages, however often the broker goes away meanwhile."""
        ...

    async def answered(self, delivery: str, error: str | None) -> None:
        """Take the sidecar's answer to a delivery: None is an acknowledgement."""
        ...


class Stream(Protocol):
    """One stream to the sidecar, before it is known what it hears."""

    def begin(self, topic: str, metadata: Mapping[str, str], others: Sequence[Any]) -> Subscription:
        """Say what it hears.

        Args:
            topic: what is heard.
            metadata: what the subscription says besides.
            others: the other component files of the same sidecar.

        Raises:
            ComponentError: it cannot be heard.
        """
        ...


class Instance(ABC):
    """Connections, publisher and streams that belong together.

    Attributes:
        running: is clear while the sidecar wants no new messages.
    """

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.running.set()
        self._streams = 0
        self._had_streams = False
        self._no_streams = asyncio.Event()
        self._no_streams.set()

    @property
    @abstractmethod
    def consumer(self) -> str:
        """Who subscribes."""

    @property
    @abstractmethod
    def about(self) -> str:
        """Where it publishes and how it subscribes, for the log."""

    @abstractmethod
    def stream(self) -> AbstractContextManager[Stream]:
        """Be one more stream, for as long as the block lasts."""

    @abstractmethod
    async def publish(self, events: Sequence[Outgoing]) -> Mapping[int, Failure]:
        """Publish events, and return the place of each that the broker did not take, and why."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Close every connection."""

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a stream for as long as the block lasts."""
        self._streams += 1
        self._had_streams = True
        self._no_streams.clear()
        try:
            yield
        finally:
            self._streams -= 1
            if not self._streams:
                self._no_streams.set()

    @property
    def is_over(self) -> bool:
        """Whether its sidecar subscribed once and does so no more."""
        return self._had_streams and not self._streams

    async def close(self) -> None:
        """Close every connection, once the last stream has given back what it had taken."""
        await self._no_streams.wait()
        await self.disconnect()
