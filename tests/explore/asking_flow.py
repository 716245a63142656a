"""A customer repeats the same request, a limited number of times or without end."""

from __future__ import annotations

from typing import Literal

from choreography import Decision, Entity, Event, Service, nothing
from choreography.explore import Scenario, World, always, eventually, scenario, sometimes
from choreography.explore.model import Model
from choreography.explore.properties import nothing_is_quarantined


class Asked(Event, owner="asker", subject="ask_id", type="ask.made.v1"):
    """Somebody asked."""

    ask_id: str


class Refused(Event, owner="other", subject="ask_id", type="ask.refused.v1"):
    """It was refused."""

    ask_id: str


class Ask(Entity, key="ask_id"):
    """How often it was asked."""

    ask_id: str
    tries: int = 0
    status: Literal["asking", "given up"] = "asking"


def asking(most: int) -> Model:
    """Return a flow in which somebody gives up after so many refusals; with 0, never."""
    asker, other = Service("asker", publishes=[Asked]), Service("other", publishes=[Refused])

    @asker.on(Refused)
    def again(ask: Ask, _refused: Refused) -> Decision[Asked]:
        if not most:
            return Asked(ask_id=ask.ask_id)
        if ask.tries + 1 >= most:
            return ask.but(status="given up")
        return ask.but(tries=ask.tries + 1), Asked(ask_id=ask.ask_id)

    @other.on(Asked)
    def refuse(asked: Asked) -> Decision[Refused]:
        return Refused(ask_id=asked.ask_id) if asked.ask_id else nothing

    properties = (nothing_is_quarantined, gives_up, asks_before_it_gives_up, can_give_up)
    return Model("asking", (asker, other), properties, {"asks": asks}, {})


@scenario
def asks(asks: int = 1) -> Scenario:
    """So many that ask."""
    flows = tuple(f"ask-{number}" for number in range(1, asks + 1))
    return Scenario(flows, says=tuple(Asked(ask_id=one) for one in flows))


@eventually
def gives_up(world: World, ask_id: str) -> bool:
    """It gives up in the end."""
    return world.state_of(Ask, ask_id).status == "given up"


@always
def asks_before_it_gives_up(world: World, ask_id: str) -> bool:
    """Every try was said: an entity and what is said beside it are written together."""
    return world.state_of(Ask, ask_id).tries <= len(world.said(Asked, ask_id)) - 1


@sometimes
def can_give_up(world: World, ask_id: str) -> bool:
    """It can give up."""
    return world.state_of(Ask, ask_id).status == "given up"
