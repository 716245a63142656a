"""Two guests and one bench: a guest sits down only if the bench is free."""

from __future__ import annotations

from typing import Literal

from choreography import Decision, Entity, Event, Service, nothing
from choreography.explore import Scenario, World, scenario, sometimes
from choreography.explore.model import Model


class Came(Event, owner="door", subject="guest", type="guest.came.v1"):
    """A guest came in."""

    guest: str
    bench: str = "bench"


class Sat(Event, owner="bench", subject="guest", type="guest.sat.v1"):
    """A guest sits, and will leave at some moment."""

    guest: str
    bench: str = "bench"


class Guest(Entity, key="guest"):
    """One guest."""

    guest: str
    status: Literal["unknown", "sits", "went away"] = "unknown"


class Bench(Entity, key="bench"):
    """The bench, and how many have sat on it."""

    bench: str
    taken: bool = False
    sat: int = 0


door = Service("door", publishes=[Came])
bench = Service("bench", publishes=[Sat])


@bench.on(Came)
def sit(guest: Guest, bench: Bench, _came: Came) -> Decision[Sat]:
    """Sit down if there is room. That there is none is only looked at."""
    if bench.taken:
        return guest.but(status="went away")
    return guest.but(status="sits"), bench.but(taken=True, sat=bench.sat + 1), Sat(guest=guest.guest)


@bench.on(Sat)
def leave(bench: Bench, _sat: Sat) -> Decision:
    """Make room."""
    return bench.but(taken=False)


greeter = Service("greeter")


class Greeted(Entity, key="guest"):
    """A guest who was greeted."""

    guest: str
    was: bool = False


@greeter.on(Came)
def greet(greeted: Greeted, came: Came) -> Decision:
    """Greet the second guest only: this looks into the id."""
    return greeted.but(was=True) if came.guest.endswith("2") else nothing


@scenario
def guests() -> Scenario:
    """Two guests."""
    names = ("guest-1", "guest-2")
    return Scenario(names, says=tuple(Came(guest=one) for one in names))


@sometimes
def both_sat(world: World) -> bool:
    """One can sit down after the other."""
    return world.state_of(Bench, "bench").sat == len(world.flows)


@sometimes
def somebody_was_greeted(world: World) -> bool:
    """Somebody may be greeted."""
    return any(one.was for one in world.every(Greeted))


one_after_the_other = Model("bench", (door, bench), (both_sat,), {"guests": guests}, {})
greeted_by_id = Model("greeting", (door, greeter), (somebody_was_greeted,), {"guests": guests}, {})
