"""The size of a run: a few minutes, or half an hour with enough orders to show whether anything grows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """The amounts of a run.

    Attributes:
        rounds: how often all systems are started anew.
        turns: how often each system has its turn in a round, with a burst and with every rate.
        burst: orders sent as fast as they are accepted, the same number for every system.
        rates: orders a second, and the seconds for which they come in one turn.
        growth: bursts in a row on the same store and broker, which are never emptied in between.
        growing: the systems whose growth is measured.
        replicas: numbers of replicas of every service.
        replica_burst: the number of orders for each of these.
    """

    rounds: int
    turns: int
    burst: int
    rates: Mapping[float, float]
    growth: tuple[int, ...]
    growing: tuple[str, ...]
    replicas: tuple[int, ...]
    replica_burst: int


QUICK = Plan(
    rounds=1,
    turns=2,
    burst=250,
    rates={5: 4, 20: 4, 50: 2, 100: 2, 200: 1.5},
    growth=(),
    growing=(),
    replicas=(),
    replica_burst=0,
)
FULL = Plan(
    rounds=3,
    turns=3,
    burst=400,
    rates={5: 8, 20: 5, 50: 3, 100: 3, 200: 2},
    growth=(1_000, 4_000, 5_000, 10_000, 30_000),
    growing=("choreography, untraced",),
    replicas=(1, 2),
    replica_burst=3_000,
)
