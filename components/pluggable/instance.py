"""The interface of a connected component file of one sidecar, for the gRPC service."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from .messages import Delivery, Failure, Outgoing


class Subscription(Protocol):
    """The subscription of one consumer to one topic: at least once, until the caller closes the iterator."""

    def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Yield messages, however often the broker is away meanwhile."""
        ...

    async def answered(self, delivery: str, error: str | None) -> None:
        """Process the sidecar's answer to a delivery: None is an acknowledgement."""
        ...


class Stream(Protocol):
    """One stream to the sidecar, before its topic is known."""

    def begin(self, topic: str, metadata: Mapping[str, str], others: Sequence[Any]) -> Subscription:
        """Set its topic and return its subscription.

        Args:
            topic: the topic to consume.
            metadata: the metadata of the subscription.
            others: the other component files of the same sidecar.

        Raises:
            ComponentError: the topic cannot be consumed.
        """
        ...


class Instance(ABC):
    """The connections, publisher and streams of one component file.

    Attributes:
        running: not set while the sidecar wants no new messages.
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
        """The name of the consumer."""

    @property
    @abstractmethod
    def about(self) -> str:
        """The broker that it publishes to, and the way in which it subscribes, for the log."""

    @abstractmethod
    def stream(self) -> AbstractContextManager[Stream]:
        """Register a stream, for as long as the block lasts."""

    @abstractmethod
    async def publish(self, events: Sequence[Outgoing]) -> Mapping[int, Failure]:
        """Publish events, and return the position of each event that the broker did not accept, with the reason."""

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
        """Whether its sidecar has subscribed before and has closed all streams."""
        return self._had_streams and not self._streams

    async def close(self) -> None:
        """Close every connection, after the last stream has given back its messages."""
        await self._no_streams.wait()
        await self.disconnect()
