"""Releases of the desk with other names for kept state, waiting joins or intents under way."""

# ruff: noqa: ARG001 - a parameter says what a reaction hears, also when its type is all there is to know

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from choreography import Answer, Deadline, Decision, Entity, Event, Intent, Outside, Service
from tests.unit.engine.toy import (
    Asked,
    Box,
    Counted,
    Left,
    Opened,
    PrizePaid,
    Put,
    Reminded,
    Right,
    Shoes,
    Walked,
)


class RightAgain(Right, type="shoe.right.v2"):
    """The next version of the right shoe."""


class Crate(Entity, key="crate", kind="box"):
    """A box by another key."""

    crate: str


class CrateOpened(Event, subject="crate", type="box.opened.v1"):
    """The same event as another release reads it."""

    crate: str


class Purse(Entity, key="box", kind="box"):
    """A box that cannot hold as much."""

    box: str
    coins: Annotated[int, Field(le=3)] = 0


class Done(Answer, type="prize.was-paid.v1"):
    """The same answer as another release reads it."""

    box: str


class PayEuros(Intent):
    """The same intent, as a release reads it that wants to know more."""

    box: str
    euros: Annotated[int, Field(ge=1)]


def release(**names: str) -> Service:
    """A release of the desk with other names for its join, its deadline or its effect."""
    service = Service("desk", publishes=[Counted, Reminded, Walked, PrizePaid, Opened])

    @service.when_all(Left, Right, name=names.get("join", "walk"))
    def walk(shoes: Shoes, left: Left, right: Right) -> Decision[Walked]:
        return shoes.but(walked=True), Walked(box=shoes.box, colour=left.colour)

    @service.on(Put)
    def polish(shoes: Shoes, put: Put) -> Decision:
        return shoes.but(walked=False)

    @service.on(Opened)
    def begin(box: Box, opened: Opened) -> Decision:
        return box

    @service.deadline(after=Opened, within=timedelta(minutes=10), name=names.get("deadline", "remind"))
    def remind(box: Box, deadline: Deadline) -> Decision[Reminded]:
        return Reminded(box=box.box)

    return service


def with_effect(name: str, intent: type[Intent]) -> Service:
    """A release whose effect has this name and carries out intents of this form."""
    service = Service("desk", publishes=[PrizePaid])

    async def pay(wish: Any, bank: Outside) -> Done:
        raise NotImplementedError(wish, bank)

    pay.__name__ = name
    pay.__annotations__ = {"wish": intent, "bank": Outside, "return": Done}
    service.effect(outside="bank")(pay)

    def ask(box: Box, asked: Asked) -> Any:
        return intent(box=box.box)

    ask.__annotations__ = {"box": Box, "asked": Asked, "return": Decision[intent]}  # type: ignore[valid-type,misc]
    service.on(Asked)(ask)

    @service.on(Done)
    def note(box: Box, done: Done) -> Decision:
        return box.but(paid=True)

    return service


def waiting_for_the_next() -> Service:
    """A release whose join has its name and waits for the next version of one event."""
    service = Service("desk", publishes=[Walked])

    @service.when_all(RightAgain, Left)
    def walk(shoes: Shoes, left: Left, right: RightAgain) -> Decision[Walked]:
        return Walked(box=shoes.box, colour=left.colour)

    return service


def with_another_key() -> Service:
    """A release whose boxes have another key."""
    service = Service("desk")

    @service.on(CrateOpened)
    def begin(box: Crate, opened: CrateOpened) -> Decision:
        return box

    @service.deadline(after=CrateOpened, within=timedelta(minutes=10))
    def remind(box: Crate, deadline: Deadline) -> Decision:
        return box

    return service


def with_few_coins() -> Service:
    """A release that cannot read every state that another one keeps."""
    service = Service("desk")

    @service.on(Put)
    def count(box: Purse, put: Put) -> Decision:
        return box

    return service
