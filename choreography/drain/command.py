"""`choreography drain`: exit code 0 once nothing is under way any more, 1 if something still is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from choreography.drain.draining import Drained, drain
from choreography.drain.progress_report import Teller
from choreography.drain.sight import Where
from choreography.provision import layout_of


def run(
    resources: Path, where: Where, replicas: Sequence[str], *, within: timedelta, grace: timedelta, console: Console
) -> int:
    """Watch a flow until it is drained, print what is still under way, and return the exit code."""
    layout = layout_of(resources)
    with Teller(console) as teller:
        watching = drain(layout, where, replicas=replicas, within=within, grace=grace, told=teller.show)
        ended = asyncio.run(watching)
    _tell(ended, within, teller)
    return 0 if ended.proven else 1


def _tell(ended: Drained, within: timedelta, teller: Teller) -> None:
    for topic, count in sorted((ended.last.sight.kept if ended.last.sight else {}).items()):
        if count:
            teller.say(f"{topic} keeps {count:,}. That is no work under way, and stays behind on this broker.")
    if ended.proven:
        teller.say(
            "Drained: nothing waits on the broker, no replica has anything in hand, and none has moved while that was "
            "asked twice. As long as the intake stays closed, this stays so.",
            "green",
        )
        return
    teller.say(f"Not drained within {within}. Whoever leaves this broker now leaves behind what it still holds:", "red")
    for obstacle in list(ended.last.obstacles()) or ["nothing was left in the end, but it was too late to look twice"]:
        teller.say(f"  {obstacle}", "red")
    teller.say("Close the intake where it is open, mend what stands still, and call this again.", "red")
