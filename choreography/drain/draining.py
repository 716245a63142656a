"""Watches a flow until it is drained, or until the time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from choreography.drain.broker_choice import BrokerLooker, looker_for
from choreography.drain.replicas import census
from choreography.drain.rounds import Proof, Round
from choreography.drain.sight import DrainError, UnknownYetError, Where
from choreography.provision import BrokerLayout

_BETWEEN_ROUNDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Drained:
    """The result of a drain.

    Attributes:
        last: the last round.
        proven: whether nothing is under way any more.
    """

    last: Round
    proven: bool


async def drain(
    layout: BrokerLayout,
    where: Where,
    *,
    replicas: Sequence[str],
    within: timedelta,
    grace: timedelta = timedelta(0),
    told: Callable[[Round], None] = lambda _: None,
) -> Drained:
    """Watch until nothing is under way any more. This changes nothing: the caller has closed the intake.

    Args:
        layout: the topics and subscribers of the flow.
        where: the address of the broker.
        replicas: the addresses of the replicas, as :func:`choreography.drain.replicas.census` takes them.
        within: the longest time to watch, in seconds.
        grace: seconds for which a terminating replica may go on. Such a replica has no address any more, so it cannot
            be asked; but its publications still move a topic, and for this long nothing may move.
        told: receives every round.

    Raises:
        DrainError: no module can inspect this broker, or it did not answer the first time.
    """
    looker = looker_for(layout)
    proof = Proof(max(looker.settles(where), grace.total_seconds()))
    clock = asyncio.get_running_loop().time
    ends = clock() + within.total_seconds()
    first = True
    while True:
        one = await _round(looker, layout, where, replicas, patient=not first)
        first = False
        told(one)
        if proof.add(one):
            return Drained(one, proven=True)
        if clock() >= ends:
            return Drained(one, proven=False)
        await asyncio.sleep(min(_BETWEEN_ROUNDS, max(0.0, ends - clock())))


async def _round(
    looker: BrokerLooker, layout: BrokerLayout, where: Where, replicas: Sequence[str], *, patient: bool
) -> Round:
    """Ask the broker first and then the replicas; the proof depends on this order."""
    at = asyncio.get_running_loop().time()
    sight, trouble = None, ""
    try:
        sight = await looker.look(layout, where)
    except DrainError as error:
        # The first time, the address or a permission is wrong; later, the broker is restarting.
        if not patient and not isinstance(error, UnknownYetError):
            raise
        trouble = str(error)
    return Round(at, sight, await census(replicas, (app for app, _ in layout.hearers)), trouble)
