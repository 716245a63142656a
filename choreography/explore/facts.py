"""What may be true of a flow besides the state of its entities: what is on its way, and what has been."""

from __future__ import annotations

from dataclasses import dataclass

from choreography.explore.production_step import Arrival


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """Something that will reach a service at some moment: an event, an answer, a deadline.

    Attributes:
        nth: which of those that say the same. A delivery has the number of its event.
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
    """Something that a service could not run."""

    service: str
    type: str
    reason: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Lost:
    """A delivery that was lost, whichever it was: only how many there were bounds how many there may be."""

    nth: int = 1


@dataclass(frozen=True, slots=True)
class Coming:
    """An event of a foreign publisher that may come. It stays so: only how often it came bounds how often it comes."""

    type: str


@dataclass(frozen=True, slots=True)
class HasCome:
    """An event of a foreign publisher came, whatever it says."""

    type: str
    nth: int = 1


Pending = OnItsWay | WantedCall | Coming
Fact = OnItsWay | WantedCall | HasPublished | Called | HasQuarantined | Lost | HasCome


def sort_of(fact: Fact | Coming) -> tuple[str, ...]:
    """Return what sort of fact this is: what a property may look at."""
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
    """Tell whether this is one event's way to one service, which has its event's number."""
    return isinstance(fact, OnItsWay) and fact.heard.style == "event"


def named(fact: Fact) -> str:
    """Return in words which fact has become true, as the beginning of a sentence that says how often."""
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
