"""The component file of one sidecar, connected: its connection, publisher and streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from components.nats_pull.connection import Nats
from components.nats_pull.publishing import Publisher
from components.nats_pull.settings import Settings, read_settings
from components.nats_pull.subscription import Subscription
from components.pluggable.errors import CredentialsError
from components.pluggable.instance import Instance
from components.pluggable.messages import Failure, Outgoing
from components.pluggable.packing import pack_size


class NatsPull(Instance):
    """The connection, publisher and streams of one component file."""

    def __init__(self, settings: Settings, nats: Nats) -> None:
        super().__init__()
        self.settings, self.nats = settings, nats
        self._publisher = Publisher(nats, settings)

    @property
    def consumer(self) -> str:
        """The name of the consumer."""
        return self.settings.consumer

    @property
    def about(self) -> str:
        """The server that it publishes to, and the way in which it subscribes."""
        return f"publishes to {self.settings.place} and subscribes as {self.settings.consumer}"

    @contextmanager
    def stream(self) -> Iterator[NatsPull]:
        """Register a stream, for as long as the block lasts. Nothing depends on it before its topic is known."""
        yield self

    def begin(self, topic: str, metadata: Mapping[str, str], others: Sequence[Any]) -> Subscription:  # noqa: ARG002
        """Subscribe to a topic.

        Raises:
            SettingsError: its subscription has an invalid setting.
        """
        return Subscription(self.nats, self.settings, topic, pack_size(metadata), self.running)

    async def publish(self, events: Sequence[Outgoing]) -> Mapping[int, Failure]:
        """Publish for the sidecar."""
        return await self._publisher.publish(events)

    async def disconnect(self) -> None:
        """Close the connection."""
        await self.nats.__aexit__()


async def open_instance(_: str, properties: Mapping[str, str]) -> NatsPull:
    """Connect, and check that NATS accepts the login.

    Raises:
        ComponentError: every call would fail.
    """
    settings = read_settings(properties)
    instance = NatsPull(settings, await Nats(settings).__aenter__())
    try:
        await instance.nats.see_login()
    except CredentialsError:
        await instance.disconnect()
        raise
    return instance
