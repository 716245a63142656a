"""Later releases of the desk: the next release must find the records of the one before."""

# ruff: noqa: ARG001 - a parameter says what a reaction hears, also when its type is all there is to know

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from choreography import Decision, Service, named_by
from tests.unit.engine.toy import Box, Broken, Counted, Moved, Put, Shifted, Shoes


class PutAgain(Put, type="coins.put.v2"):
    """The next version of a put."""


class BrokenAgain(Broken, type="box.broken.v2"):
    """The next version of an event on which the reaction fails."""


mended = Service("desk", publishes=[Counted])
"""The reaction that failed is mended."""


@mended.on(Broken)
def mend(box: Box, broken: Broken) -> Decision[Counted]:
    """Do what the broken release could not."""
    return box.but(coins=box.coins + 10), Counted(box=broken.box, total=box.coins + 10)


@mended.on(Put)
def count(box: Box, put: Put) -> Decision[Counted]:
    """Count as before."""
    counted = box.but(coins=box.coins + put.amount)
    return counted, Counted(box=box.box, total=counted.coins)


newer = Service("desk", publishes=[Counted])
"""It knows the next versions."""


@newer.on(PutAgain)
def count_again(box: Box, put: PutAgain) -> Decision[Counted]:
    """Count the next version."""
    return box.but(coins=box.coins + put.amount), Counted(box=box.box, total=box.coins)


@newer.on(BrokenAgain)
def fail_again(box: Box, broken: BrokenAgain) -> Decision:
    """Fail on the next version too."""
    raise ValueError(broken.box)


paired = Service("desk", publishes=[Counted])
"""The reaction to a put names one entity more than it did."""


@paired.on(Put)
def count_both(box: Box, shoes: Shoes, put: Put) -> Decision[Counted]:
    """Count, and look at the shoes."""
    counted = box.but(coins=box.coins + put.amount)
    return counted, shoes.but(walked=True), Counted(box=box.box, total=counted.coins)


single = Service("desk", publishes=[Shifted])
"""The reaction to a move names one entity only."""


@single.on(Moved)
def take(box: Box, moved: Moved) -> Decision[Shifted]:
    """Take the coins, and leave it to others to put them anywhere."""
    return box.but(coins=box.coins - len(moved.to)), Shifted(box=box.box)


widened = Service("desk", publishes=[Shifted])
"""One more reaction to a move, with a name of its own."""


@widened.on(Moved)
def shift(box: Box, targets: Annotated[Mapping[str, Box], named_by("to")], moved: Moved) -> Decision[Shifted]:
    """Move far more than the first release did."""
    return box.but(coins=-100), Shifted(box=box.box)
