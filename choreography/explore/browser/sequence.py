"""A run as a sequence diagram, laid out on a grid that a page draws as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from choreography.explore.faults import LOST
from choreography.explore.releases import OLD
from choreography.explore.rerunning import Replay
from choreography.explore.run_report import about
from choreography.explore.steps import Happened

LANE: Final = 190
ROW: Final = 34
TOP: Final = 44
_LONGEST: Final = 30


@dataclass(frozen=True, slots=True)
class Lane:
    """One participant: a service or an outside."""

    name: str
    x: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message between two lanes, in pixels. ``loop``: it goes back to the lane that it comes from."""

    number: int
    text: str
    style: str
    x1: int
    x2: int
    y: int
    loop: bool
    problem: bool

    @property
    def middle(self) -> int:
        """The horizontal position of its text."""
        return (self.x1 + self.x2) // 2 if not self.loop else self.x1 + 46


@dataclass(frozen=True, slots=True)
class Sequence:
    """The whole picture; ``words`` describe it to a user who cannot see it."""

    lanes: tuple[Lane, ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int
    words: str


def sequence(replay: Replay) -> Sequence:
    """Lay out the run on the grid."""
    outsides = sorted({effect.outside for one in replay.model.services for effect in one.effects.values()})
    services = [service.name for service in replay.model.services]
    names = list(dict.fromkeys([*(one.source for one in replay.foreign), *services, *outsides]))
    places = {name: LANE // 2 + LANE * number for number, name in enumerate(names)}
    arrows = tuple(_arrows(replay, places))
    height = TOP + ROW * (len(arrows) + 1)
    said = "; ".join(f"{one.number}. {one.text}" for one in arrows) or "nothing has happened yet"
    return Sequence(
        tuple(Lane(name, x) for name, x in places.items()),
        arrows,
        LANE * len(names),
        height,
        f"Sequence diagram: {said}",
    )


def _arrows(replay: Replay, places: dict[str, int]) -> Iterator[Arrow]:
    for number, one in enumerate(replay.happened, 1):
        here, there = _ends(one, places)
        # The text that distinguishes it from similar messages has a row of its own, so it may be wider than its lanes.
        text = _short(one.item.name, _LONGEST) + _short(about(replay, one), 2 * _LONGEST)
        if one.item.style == "intent":
            text = f"{text}: {one.replies}"
        elif one.replies == LOST:
            text = f"{text}: lost"
        elif one.replies == OLD:
            text = f"{text}: old release"
        y = TOP + ROW * number
        yield Arrow(number, text, one.item.style, here, there, y, here == there, bool(one.problem))


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _ends(one: Happened, places: dict[str, int]) -> tuple[int, int]:
    """Return where an arrow begins and ends; an event that starts the flow begins in the lane of its consumer."""
    service = places[one.item.service]
    other = places.get(one.sender, service)
    return (service, other) if one.item.style == "intent" else (other, service)
