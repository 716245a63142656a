"""When a flow is drained, and why that is proven.

A delivery stays un-acknowledged until all that follows from it is published. So once the intake is closed, whatever is
under way is on the broker; and if every subscription is empty at one moment, nothing can ever come again by itself.

No broker can be asked about all of its topics at one moment: an event may be handled on a topic that is yet to be asked
and lead to one on a topic that was asked before. Hence two rounds. In both the broker is asked first and the replicas
afterwards. If both find nothing, and no replica has taken or said anything from the first to the second, and no topic
has got further, then every answer of the second round was true at the moment of the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from choreography.drain.replicas import Census
from choreography.drain.sight import Sight, Standing


@dataclass(frozen=True, slots=True)
class Round:
    """What was seen once: first the broker, then the replicas.

    Attributes:
        at: when it began, by a clock that only goes forward.
        sight: what the broker said; None if it did not answer.
        census: what the replicas said.
        trouble: why the broker did not answer.
    """

    at: float
    sight: Sight | None
    census: Census
    trouble: str = ""

    @property
    def left(self) -> tuple[Standing, ...]:
        """What is still on the broker, most of it first."""
        standings = self.sight.standings if self.sight else ()
        return tuple(sorted((one for one in standings if one.left), key=lambda one: (-one.left, one.app, one.topic)))

    def obstacles(self) -> Iterator[str]:
        """Say everything that stands between this and a drained flow."""
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
        """Whether nothing was seen that is under way."""
        return self.sight is not None and next(self.obstacles(), None) is None


def same(earlier: Round, later: Round) -> bool:
    """Tell whether nothing at all has moved from one round to the other."""
    if earlier.sight is None or later.sight is None:
        return False
    return earlier.sight.marks == later.sight.marks and earlier.census.marks == later.census.marks


@dataclass(slots=True)
class Proof:
    """Two quiet rounds between which nothing moved, so far apart that the second says nothing older than the first.

    Attributes:
        settles: seconds after which all that the broker says is younger than what was asked before.
        since: the first quiet round of those in which nothing moved.
    """

    settles: float
    since: Round | None = None

    def add(self, one: Round) -> bool:
        """Take another round. True if the flow is drained."""
        if not one.quiet:
            self.since = None
        elif self.since is None or not same(self.since, one):
            self.since = one
        else:
            return one.at - self.since.at >= self.settles
        return False
