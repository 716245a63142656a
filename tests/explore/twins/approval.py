"""A flow that believes its own clerk, and is not ready for a supervisor of another flow who decides as well."""

from __future__ import annotations

from typing import Literal

from choreography import Decision, Entity, Event, Service, nothing
from choreography.explore import Scenario, World, always, eventually, scenario
from choreography.explore.model import Model
from choreography.explore.scenario import ScenarioMaker


class Asked(Event, owner="clerk", subject="claim", type="claim.asked.v1"):
    """Somebody wants money."""

    claim: str
    desk: str


class Paid(Event, owner="clerk", subject="claim", type="claim.paid.v1", final=True):
    """Somebody got it."""

    claim: str


class Ruled(Event, owner="supervisor", subject="claim", type="claim.ruled.v1"):
    """A supervisor decided, whom no service here speaks for."""

    claim: str
    verdict: Literal["granted", "refused"]
    note: str = ""


class Claim(Entity, key="claim"):
    """One claim."""

    claim: str
    status: Literal["new", "paid", "refused"] = "new"


class Desk(Entity, key="desk"):
    """How many claims a desk paid."""

    desk: str
    paid: int = 0


class Account(Entity, key="claim"):
    """What a teller keeps of a claim."""

    claim: str
    closed: bool = False


clerk = Service("clerk", publishes=[Asked, Paid])


@clerk.on(Asked)
def pay(claim: Claim, desk: Desk, asked: Asked) -> Decision[Paid]:
    """Pay what is asked for."""
    return claim.but(status="paid"), desk.but(paid=desk.paid + 1), Paid(claim=asked.claim)


@clerk.on(Ruled)
def follow(claim: Claim, ruled: Ruled) -> Decision[Paid]:
    """Do what was decided. It forgets what is paid already."""
    if ruled.verdict == "refused":
        return claim.but(status="refused") if claim.status == "new" else nothing
    return claim.but(status="paid"), Paid(claim=ruled.claim)


teller = Service("teller")


@teller.when_all(Paid, Ruled)
def close(claim: Account, paid: Paid, ruled: Ruled) -> Decision:
    """Close the books on what is both paid and ruled."""
    return claim.but(closed=paid.claim == ruled.claim)


@scenario
def claims(claims: int = 1) -> Scenario:
    """So many claims at one desk."""
    flows = tuple(f"claim-{number}" for number in range(1, claims + 1))
    return Scenario(flows, keeps=(Desk(desk="front"),), says=tuple(Asked(claim=one, desk="front") for one in flows))


@scenario
def nothing_asked(first: str = "claim-1") -> Scenario:
    """A claim that nobody asks for, and that a supervisor decides."""
    return Scenario((first,), says=(Ruled(claim=first, verdict="granted"), Ruled(claim=first, verdict="granted")))


@always
def paid_once(world: World, claim: str) -> bool:
    """No claim is paid twice."""
    return len(world.said(Paid, claim)) <= 1


@eventually
def decided(world: World, claim: str) -> bool:
    """A claim ends paid or refused."""
    return world.state_of(Claim, claim).status != "new"


_MAKERS: dict[str, ScenarioMaker] = {"claims": claims, "nothing_asked": nothing_asked}

model = Model("tests.explore.twins.approval:model", (clerk,), (paid_once, decided), _MAKERS, {})

waiting = Model("tests.explore.twins.approval:waiting", (clerk, teller), (decided,), _MAKERS, {})
