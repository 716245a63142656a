"""When a flow is drained, and the proof of it.

A delivery stays unacknowledged until everything that follows from it is published. So once the intake is closed,
everything under way is on the broker; and if every subscription is empty at one moment, no further event can come.

No broker reports all of its topics at one moment: a service may handle an event on a topic that is not asked yet, and
publish one on a topic that was asked before. Hence two rounds. Each round asks the broker first and the replicas
afterwards. If both rounds find nothing, and no replica has received or published anything between them, and no topic
has grown, then every answer of the second round was true at the moment of its last answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from choreography.drain.replicas import Census
from choreography.drain.sight import Sight, Standing


@dataclass(frozen=True, slots=True)
class Round:
    """One round of observation: first the broker, then the replicas.

    Attributes:
        at: its start, by a monotonic clock.
        sight: the report of the broker; None if it did not answer.
        census: the reports of the replicas.
        trouble: why the broker did not answer.
    """

    at: float
    sight: Sight | None
    census: Census
    trouble: str = ""

    @property
    def left(self) -> tuple[Standing, ...]:
        """The messages that are still on the broker, the largest number first."""
        standings = self.sight.standings if self.sight else ()
        return tuple(sorted((one for one in standings if one.left), key=lambda one: (-one.left, one.app, one.topic)))

    def obstacles(self) -> Iterator[str]:
        """Return everything that prevents this flow from being drained."""
        if self.trouble:
            yield self.trouble
        for replica in self.census.replicas:
            if replica.intake_open:
                yield f"the intake of {replica.service} is open at {replica.url}"
            if replica.in_hand:
                yield f"{replica.service} has {replica.in_hand} in hand at {replica.url}"
        yield from self.census.silent
        for one in self.left:
            yield f"{one.app} has {one.waiting} waiting and {one.in_hand} in hand of {one.topic}"

    @property
    def quiet(self) -> bool:
        """Whether the round found nothing under way."""
        return self.sight is not None and next(self.obstacles(), None) is None


def same(earlier: Round, later: Round) -> bool:
    """Tell whether nothing has moved between the two rounds."""
    if earlier.sight is None or later.sight is None:
        return False
    return earlier.sight.marks == later.sight.marks and earlier.census.marks == later.census.marks


@dataclass(slots=True)
class Proof:
    """Two quiet rounds without any movement, so far apart that the second holds no figure older than the first round.

    Attributes:
        settles: seconds after which every figure of the broker is newer than all earlier ones.
        since: the first of the quiet rounds without movement.
    """

    settles: float
    since: Round | None = None

    def add(self, one: Round) -> bool:
        """Add a round. Return True if the flow is drained."""
        if not one.quiet:
            self.since = None
        elif self.since is None or not same(self.since, one):
            self.since = one
        else:
            return one.at - self.since.at >= self.settles
        return False
