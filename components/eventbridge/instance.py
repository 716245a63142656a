"""The component file of one sidecar, connected: its clients, publisher and streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from components.pluggable.errors import ComponentError, UnfitError
from components.pluggable.instance import Instance
from components.pluggable.messages import Failure, Outgoing

from .account import see_account
from .aws import Aws
from .names import subscription_name
from .publishing import Publisher
from .routes import Line, Routes
from .settings import Settings, read_settings
from .subscription import Subscription


class EventBridge(Instance):
    """The clients, publisher and streams of one component file.

    Attributes:
        settings: the settings in the file.
        routes: the rules and queues that must exist before an event is put.
    """

    def __init__(self, settings: Settings, aws: Aws) -> None:
        super().__init__()
        self.settings, self.aws = settings, aws
        self.routes = Routes(aws, settings)
        self._publisher = Publisher(aws, settings, self.routes)

    @property
    def consumer(self) -> str:
        """The name of the consumer."""
        return self.settings.consumer

    @property
    def about(self) -> str:
        """The bus that it publishes to, and the way in which it subscribes."""
        return f"publishes to bus {self.settings.bus} and subscribes as {self.settings.consumer}"

    @contextmanager
    def stream(self) -> Iterator[Stream]:
        """Register a stream, for as long as the block lasts."""
        with self.routes.line() as line:
            yield Stream(self, line)

    async def publish(self, events: Sequence[Outgoing]) -> Mapping[int, Failure]:
        """Publish for the sidecar."""
        return await self._publisher.publish(events)

    async def disconnect(self) -> None:
        """Close the clients."""
        await self.aws.__aexit__()


class Stream:
    """One stream, which reports whether published events would reach its queue."""

    def __init__(self, instance: EventBridge, line: Line) -> None:
        self._instance, self._line = instance, line

    def begin(self, topic: str, metadata: Mapping[str, str], others: Sequence[Any]) -> Subscription:
        """Subscribe to a topic, or to the event pattern that the subscription names.

        Raises:
            UnfitError: another stream reads other events from the same queue.
        """
        one, pattern = self._instance, metadata.get("eventPattern", "")
        if sentence := _shares(subscription_name(one.settings, topic), pattern, [one, *others]):
            raise UnfitError(sentence)
        self._line.hears(topic, pattern)
        return Subscription(one.aws, one.settings, topic, pattern, running=one.running, line=self._line)


async def open_instance(_: str, properties: Mapping[str, str]) -> EventBridge:
    """Make the clients, and check the account once.

    Raises:
        ComponentError: every call would fail.
    """
    settings = read_settings(properties)
    instance = EventBridge(settings, await Aws(settings).__aenter__())
    try:
        await see_account(instance.aws, settings)
    except ComponentError:
        await instance.close()
        raise
    return instance


def _shares(name: str, pattern: str, instances: Sequence[EventBridge]) -> str:
    """Return the reason why a queue cannot be used, if another stream reads other events from it."""
    for other in instances:
        for line in other.routes.open_lines:
            if line.topic and subscription_name(other.settings, line.topic) == name and line.pattern != pattern:
                heard = f"the event pattern {line.pattern}" if line.pattern else "what is published to it"
                return (
                    f"{line.topic} is heard already, by {heard}, and one rule cannot hear something else, too. "
                    "Give one of the two component files a consumerID of its own."
                )
    return ""
