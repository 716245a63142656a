"""A small service with one of everything: a desk that keeps boxes of coins."""

# ruff: noqa: ARG001 - a parameter says what a reaction hears, also when its type is all there is to know

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from choreography import (
    Answer,
    Deadline,
    Decision,
    Entity,
    Event,
    Intent,
    NewId,
    Outside,
    Request,
    Service,
    Value,
    named_by,
    nothing,
)
from choreography.contracts import Answer as OutsideAnswer
from choreography.engine.records import CommittedIntent
from tests.unit.engine.switches import Attempts, Curse, Lightning


class StreetEvent(Event, owner="street", subject="box"):
    """What others say."""

    box: str


class Put(StreetEvent, type="coins.put.v1"):
    """Somebody put coins into a box."""

    amount: int
    note: str = ""


class Moved(StreetEvent, type="coins.moved.v1"):
    """Somebody wants one coin moved from a box into each of several others."""

    to: tuple[str, ...]


class Claimed(StreetEvent, type="box.claimed.v1"):
    """Somebody claims a box, which is theirs only while the other box is empty."""

    other: str


class Emptied(StreetEvent, type="box.emptied.v1"):
    """A box is thrown away."""


class Broken(StreetEvent, type="box.broken.v1"):
    """An event on which the reaction fails."""


class Torn(StreetEvent, type="box.torn.v1"):
    """An event on which a reaction that names two boxes fails, unless the box is there."""

    other: str


class Cursed(StreetEvent, type="box.cursed.v1"):
    """An event that kills the process, as long as it is cursed."""


class Labelled(StreetEvent, type="box.labelled.v1"):
    """A box gets a label of one character."""

    code: int


class Shouted(StreetEvent, type="box.shouted.v1"):
    """An event that makes the desk say so many letters."""

    letters: int
    number: int = 0


class Asked(StreetEvent, type="prize.asked.v1"):
    """Somebody wants the prize paid out."""


class Left(StreetEvent, type="shoe.left.v1"):
    """The left shoe."""

    colour: str = "red"


class Right(StreetEvent, type="shoe.right.v1"):
    """The right shoe."""


class LeftLost(StreetEvent, type="shoe.left-lost.v1", undoes=Left):
    """The left shoe is lost again."""


class DeskEvent(Event, owner="desk", subject="box"):
    """What the desk says."""

    box: str


class Opened(DeskEvent, type="box.opened.v1"):
    """A box was opened; it must be closed in time."""

    owner: str = ""


class Counted(DeskEvent, type="box.counted.v1"):
    """How much is in a box."""

    total: int


class Shifted(DeskEvent, type="coins.shifted.v1"):
    """Coins were moved."""


class Shouting(DeskEvent, type="desk.shouting.v1"):
    """Many letters."""

    letters: str
    number: int


class Reminded(DeskEvent, type="box.reminded.v1"):
    """A box was not closed in time."""


class Walked(DeskEvent, type="shoes.walked.v1"):
    """Both shoes are there."""

    colour: str


class PrizePaid(DeskEvent, type="prize.paid.v1"):
    """The prize is paid."""


class Tag(Value):
    """A nested part of a box."""

    text: str = "clean"


class Box(Entity, key="box"):
    """A box of coins."""

    box: str
    coins: int = 0
    tag: Tag = Tag()
    paid: bool = False


class Shoes(Entity, key="box"):
    """A pair of shoes."""

    box: str
    walked: bool = False


class Pay(Intent):
    """Pay the prize."""

    box: str
    coins: int


class Paid(Answer, type="prize.was-paid.v1"):
    """The bank paid."""

    box: str
    receipt: str


desk = Service("desk", publishes=[Opened, Counted, Shifted, Shouting, Reminded, Walked, PrizePaid])


class NewBox(Request):
    """Who opens it."""

    owner: str


@desk.command("POST /boxes")
def open_box(new: NewBox, box: NewId) -> Opened:
    """Open a box."""
    return Opened(box=box, owner=new.owner)


desk.view("/boxes/{box}", Box)


@desk.on(Opened)
def begin(box: Box, opened: Opened) -> Decision[Counted]:
    """Begin with an empty box."""
    return box, Counted(box=box.box, total=0)


@desk.deadline(after=Opened, within=timedelta(minutes=10))
def remind(box: Box, deadline: Deadline) -> Decision[Reminded]:
    """Say so if nothing was put in."""
    return Reminded(box=box.box) if box.coins == 0 else nothing


@desk.on(Put)
def count(box: Box, put: Put) -> Decision[Counted]:
    """Count what was put in."""
    counted = box.but(coins=box.coins + put.amount)
    return counted, Counted(box=box.box, total=counted.coins)


@desk.on(Moved)
def shift(box: Box, targets: Annotated[Mapping[str, Box], named_by("to")], moved: Moved) -> Decision[Shifted]:
    """Move one coin into each, or none."""
    if box.coins < len(targets):
        return nothing
    into = tuple(target.but(coins=target.coins + 1) for target in targets.values())
    return box.but(coins=box.coins - len(targets)), *into, Shifted(box=box.box)


@desk.on(Claimed)
def claim(box: Box, other: Annotated[Box, named_by("other")], claimed: Claimed) -> Decision[Counted]:
    """Take it only while the other is empty. Two claims that look at each other's box must not both win."""
    if other.coins:
        return nothing
    return box.but(coins=1), Counted(box=box.box, total=1)


@desk.on(Emptied)
def throw_away(box: Box, emptied: Emptied) -> Decision[Counted]:
    """Delete the box."""
    return box.gone(), Counted(box=box.box, total=0)


@desk.on(Broken)
def leak(box: Box, broken: Broken) -> Decision:
    """Do what must not be done to a nested value, then fail."""
    Attempts.made += 1
    object.__setattr__(box.tag, "text", "leaked")
    object.__setattr__(box, "coins", 999)
    raise ValueError("broken")


@desk.on(Torn)
def tear(box: Box | None, other: Annotated[Box | None, named_by("other")], torn: Torn) -> Decision:
    """Insist on the box."""
    if box is None:
        raise LookupError("there is no such box")
    return nothing


@desk.on(Cursed)
def strike(box: Box, cursed: Cursed) -> Decision:
    """Kill the process."""
    if Curse.lasts:
        raise Lightning
    return box.but(coins=box.coins + 100)


@desk.on(Labelled)
def label(box: Box, labelled: Labelled) -> Decision:
    """Write the character, whatever it is."""
    return box.but(tag=Tag(text=chr(labelled.code)))


@desk.on(Shouted)
def shout(box: Box, shouted: Shouted) -> Decision[Shouting]:
    """Say many letters, or a large number."""
    loud = Shouting(box=box.box, letters="x" * shouted.letters, number=shouted.number)
    return box.but(coins=box.coins + 1), loud


@desk.on(Asked)
def ask(box: Box, asked: Asked) -> Decision[Pay]:
    """Ask the bank."""
    return box, Pay(box=box.box, coins=box.coins)


@desk.on(Paid)
def note(box: Box, paid: Paid) -> Decision[PrizePaid]:
    """The bank paid."""
    return box.but(paid=True, coins=box.coins + 1000), PrizePaid(box=box.box)


@desk.effect(outside="bank")
async def pay(committed: Pay, bank: Outside) -> Paid:
    """Never run by these tests: the replica's provider answers."""
    reply = await bank.post("/pay", committed)
    return Paid(box=committed.box, receipt=str(reply.body["receipt"]))


@desk.when_all(Left, Right)
def walk(shoes: Shoes, left: Left, right: Right) -> Decision[Walked]:
    """Walk in both shoes."""
    return shoes.but(walked=True), Walked(box=shoes.box, colour=left.colour)


def bank(committed: CommittedIntent) -> OutsideAnswer:
    """Answer like the bank: the same key, the same receipt."""
    box: Any = Pay.model_validate_json(committed.body).box
    return Paid(box=box, receipt=f"for {committed.key}")
