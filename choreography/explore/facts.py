"""What may be true of a flow besides the state of its entities: what is on its way, and what has been."""

from __future__ import annotations

from dataclasses import dataclass

from choreography.explore.production_step import Heard


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """Something that will reach a service at some moment: an event, an answer, a deadline.

    Attributes:
        nth: which of those that say the same. A delivery has the number of its event.
    """

    heard: Heard
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """An intent that is committed and not yet carried out."""

    service: str
    effect: str
    text: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Published:
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
class SetAside:
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
class Came:
    """An event of a foreign publisher came, whatever it says."""

    type: str
    nth: int = 1


Pending = OnItsWay | Wanted | Coming
Fact = OnItsWay | Wanted | Published | Called | SetAside | Lost | Came


def sort_of(fact: Fact | Coming) -> tuple[str, ...]:
    """Return what sort of fact this is: what a property may look at."""
    match fact:
        case Published(wire_type, _, _):
            return ("said", wire_type)
        case Called(outside, _, _):
            return ("calls", outside)
        case SetAside():
            return ("quarantined",)
        case OnItsWay() | Wanted() | Coming():
            return ("pending",)
        case Lost() | Came():
            return ("faults",)


def is_delivery(fact: Fact) -> bool:
    """Tell whether this is one event's way to one service, which has its event's number."""
    return isinstance(fact, OnItsWay) and fact.heard.style == "event"


def named(fact: Fact) -> str:
    """Return in words which fact has become true, as the beginning of a sentence that says how often."""
    match fact:
        case Published(wire_type):
            text = f"{wire_type} was published"
        case Called(outside):
            text = f"{outside} was called"
        case SetAside(service, wire_type):
            text = f"{service} quarantined {wire_type}"
        case Wanted(service, effect):
            text = f"{service} waited for {effect}"
        case OnItsWay(heard):
            text = f"{heard.type} was on its way to {heard.service}"
        case Lost():
            text = "a delivery was lost"
        case Came(wire_type):
            text = f"{wire_type} came from a foreign publisher"
    return text
