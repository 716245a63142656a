"""What is run: in a few minutes, or in twenty, with enough orders to see whether anything grows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How much of everything.

    Attributes:
        rounds: how often every system has its turn; figures are medians over the rounds.
        burst: orders sent as fast as they are taken, the same for every system.
        steady_seconds: how long orders come at a steady rate, once at 20 a second and once at half of capacity.
        growth: bursts one after the other on the same store and broker, which are never emptied between them.
        growing: the systems shown growing.
        replicas: numbers of replicas of every service.
        replica_burst: orders for each of those.
    """

    rounds: int
    burst: int
    steady_seconds: float
    growth: tuple[int, ...]
    growing: tuple[str, ...]
    replicas: tuple[int, ...]
    replica_burst: int


QUICK = Plan(
    rounds=1,
    burst=1_200,
    steady_seconds=7,
    growth=(1_000, 3_000),
    growing=("choreography, untraced",),
    replicas=(2,),
    replica_burst=1_200,
)
FULL = Plan(
    rounds=3,
    burst=3_000,
    steady_seconds=15,
    growth=(1_000, 4_000, 5_000, 10_000, 30_000),
    growing=("choreography, untraced",),
    replicas=(1, 2, 3, 4),
    replica_burst=3_000,
)
