"""What one look at a broker shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from choreography.errors import ChoreographyError
from choreography.provision import BrokerLayout
from choreography.topics import undelivered


class DrainError(ChoreographyError):
    """Nobody can tell whether a flow is drained."""


class UnknownYetError(DrainError):
    """A broker will be able to tell in a moment."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a broker is.

    Attributes:
        address: as `choreography provision` takes it.
        management: where it tells what its own protocol does not; empty means the usual place. Only RabbitMQ has one.
    """

    address: str
    management: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the broker still has for one subscriber.

    Attributes:
        app: the subscriber.
        topic: what it hears; several, where one queue is for all of them.
        waiting: messages that nobody has taken yet.
        in_hand: messages that were taken but not acknowledged; where a broker cannot tell them apart, all are waiting.
    """

    app: str
    topic: str
    waiting: int
    in_hand: int = 0

    @property
    def left(self) -> int:
        """How much is to be done."""
        return self.waiting + self.in_hand


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a broker.

    Attributes:
        standings: one for every subscriber of every topic.
        kept: messages of topics for what was quarantined. Nobody takes them away, so nobody waits for them.
        marks: by topic, how far it was published to. Equal marks mean that nothing was published in between. Empty
            where a broker does not tell.
    """

    standings: tuple[Standing, ...]
    kept: Mapping[str, int] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)


def dead_letter_topics(layout: BrokerLayout) -> tuple[str, ...]:
    """The topics to which something is quarantined: those that nobody hears, and what sidecars could not hand over."""
    heard = {topic for _, topic in layout.hearers}
    unreadable = {undelivered(app) for app, _ in layout.hearers}
    return tuple(topic for topic in layout.topics if topic not in heard or topic in unreadable)
