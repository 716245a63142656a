"""The result of one inspection of a broker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from choreography.errors import ChoreographyError
from choreography.provision import BrokerLayout
from choreography.topics import undelivered


class DrainError(ChoreographyError):
    """It is impossible to find out whether a flow is drained."""


class UnknownYetError(DrainError):
    """The broker's answer will be available in a moment."""


@dataclass(frozen=True, slots=True)
class Where:
    """The addresses of a broker.

    Attributes:
        address: the address in the form of `choreography provision`.
        management: the address for facts that its own protocol lacks; empty means the usual one. Only RabbitMQ has one.
    """

    address: str
    management: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The remaining messages of one subscriber on the broker.

    Attributes:
        app: the subscriber.
        topic: its topic; several topics if one queue serves all of them.
        waiting: the messages that no consumer has received yet.
        in_hand: the messages that were delivered but not acknowledged; if a broker cannot distinguish them, all are
            waiting.
    """

    app: str
    topic: str
    waiting: int
    in_hand: int = 0

    @property
    def left(self) -> int:
        """The number of remaining messages."""
        return self.waiting + self.in_hand


@dataclass(frozen=True, slots=True)
class Sight:
    """One inspection of a broker.

    Attributes:
        standings: the remaining messages of every subscriber of every topic.
        kept: the messages on dead-letter topics. No consumer takes them away, so the drain does not wait for them.
        marks: the end of each topic. Equal marks mean that nothing was published in between. Empty if a broker does not
            report it.
    """

    standings: tuple[Standing, ...]
    kept: Mapping[str, int] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)


def dead_letter_topics(layout: BrokerLayout) -> tuple[str, ...]:
    """The dead-letter topics: those without a subscriber, and those for messages that sidecars could not deliver."""
    heard = {topic for _, topic in layout.hearers}
    unreadable = {undelivered(app) for app, _ in layout.hearers}
    return tuple(topic for topic in layout.topics if topic not in heard or topic in unreadable)
