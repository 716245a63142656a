"""A flow whose orders see each other: one desk remembers which of them came first."""

from __future__ import annotations

from choreography import Decision, Entity, Event, Service, nothing
from choreography.explore import Scenario, World, always, eventually, scenario, sometimes
from choreography.explore.model import Model


class Arrived(Event, owner="door", subject="guest", type="guest.arrived.v1"):
    """A guest came in."""

    guest: str
    desk: str


class Served(Event, owner="desk", subject="guest", type="guest.served.v1", final=True):
    """A guest was served first."""

    guest: str


class Desk(Entity, key="desk"):
    """Who came first."""

    desk: str
    first: str = ""


door = Service("door", publishes=[Arrived])
desk = Service("desk", publishes=[Served])


@desk.on(Arrived)
def serve(desk: Desk, arrived: Arrived) -> Decision[Served]:
    """Serve whoever comes first."""
    if desk.first:
        return nothing
    return desk.but(first=arrived.guest), Served(guest=arrived.guest)


@scenario
def guests() -> Scenario:
    """Two guests and one desk."""
    names = ("guest-1", "guest-2")
    return Scenario(names, says=tuple(Arrived(guest=one, desk="desk") for one in names))


@always
def one_is_first(world: World) -> bool:
    """Nobody is served second."""
    return len(world.said(Served)) <= 1


@eventually
def one_is_served(world: World) -> bool:
    """Somebody is served."""
    return len(world.said(Served)) == 1


@sometimes
def the_second_can_win(world: World) -> bool:
    """The second guest may be first."""
    return any(served.guest == "guest-2" for served in world.said(Served))


model = Model(
    "tests.explore.queue_flow:model",
    (door, desk),
    (one_is_first, one_is_served, the_second_can_win),
    {"guests": guests},
    {},
)
