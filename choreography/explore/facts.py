"""The facts of a flow besides the state of its entities: what is under way, and what has happened."""

from __future__ import annotations

from dataclasses import dataclass

from choreography.explore.production_step import Arrival


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """Something that will reach a service at some moment: an event, an answer, a deadline.

    Attributes:
        nth: its number among those with the same content. A delivery has the number of its event.
    """

    heard: Arrival
    nth: int = 1


@dataclass(frozen=True, slots=True)
class WantedCall:
    """An intent that is committed and not yet carried out."""

    service: str
    effect: str
    text: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class HasPublished:
    """An event that was published."""

    type: str
    text: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Called:
    """A call that the outside answered."""

    outside: str
    text: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class HasQuarantined:
    """Something that a service quarantined."""

    service: str
    type: str
    reason: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Lost:
    """A delivery that was lost. The fact does not say which: only their count limits further losses."""

    nth: int = 1


@dataclass(frozen=True, slots=True)
class Coming:
    """An event of a foreign publisher that may come. The fact stays true: its limit is the number that came."""

    type: str


@dataclass(frozen=True, slots=True)
class HasCome:
    """An event of a foreign publisher came, with any content."""

    type: str
    nth: int = 1


Pending = OnItsWay | WantedCall | Coming
Fact = OnItsWay | WantedCall | HasPublished | Called | HasQuarantined | Lost | HasCome


def sort_of(fact: Fact | Coming) -> tuple[str, ...]:
    """Return the sort of this fact: properties read facts by their sort."""
    match fact:
        case HasPublished(wire_type, _, _):
            return ("said", wire_type)
        case Called(outside, _, _):
            return ("calls", outside)
        case HasQuarantined():
            return ("quarantined",)
        case OnItsWay() | WantedCall() | Coming():
            return ("pending",)
        case Lost() | HasCome():
            return ("faults",)


def is_delivery(fact: Fact) -> bool:
    """Tell whether this is the delivery of an event to a service; it has the number of its event."""
    return isinstance(fact, OnItsWay) and fact.heard.style == "event"


def named(fact: Fact) -> str:
    """Return words for a new fact, as the beginning of a sentence that ends in a count."""
    match fact:
        case HasPublished(wire_type):
            text = f"{wire_type} was published"
        case Called(outside):
            text = f"{outside} was called"
        case HasQuarantined(service, wire_type):
            text = f"{service} quarantined {wire_type}"
        case WantedCall(service, effect):
            text = f"{service} waited for {effect}"
        case OnItsWay(heard):
            text = f"{heard.type} was on its way to {heard.service}"
        case Lost():
            text = "a delivery was lost"
        case HasCome(wire_type):
            text = f"{wire_type} came from a foreign publisher"
    return text
