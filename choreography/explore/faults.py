"""Faults of a run beyond those that the engine handles: lost deliveries, services that are away, foreign events.

They are settings of every scenario, so a command line, an address or a test that makes a scenario again includes them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from choreography.explore.properties import ExploreError

LOST: Final = "lost"
"""What becomes of a delivery instead of a reply."""

MOST_LOST: Final = 20
"""More losses are not told apart, and nobody could explore them."""

FAULT_SETTINGS: Final[Mapping[str, Any]] = {"lose": 0, "away": "", "foreign": "", "old": ""}
"""The settings that every scenario has, unless its function has a parameter of that name."""

FAULT_TEXTS: Final[Mapping[str, str]] = {
    "lose": "so many deliveries of events may be lost, whichever and whenever",
    "away": "these services hear nothing, and nothing of theirs goes on; several with commas",
    "foreign": "this event of a foreign publisher comes once, at any moment; again or another with a comma",
    "old": "the folder or package of an old release of the flow: each delivery may be handled by it or by this one",
}

LISTED: Final = ("away", "foreign")
"""Settings that hold several names, with commas between them: an option that is there twice names both."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of one scenario.

    Attributes:
        lose: how many deliveries of events may be lost in one run. Each may be lost at any moment or not at all, so
            runs with fewer losses are explored as well. Answers and deadlines are the service's own, and are never
            lost.
        away: the services that are absent. Deliveries to them stay under way, so a run ends when nothing else can
            happen.
        foreign: the events, by their names or wire types, that a foreign publisher publishes. Each comes at any moment,
            as an example of its contract about one of the flows, and as often as it is listed here.
        old: the folder or package of an old release of the flow. Each service that exists in both releases runs in
            both, on the same state, and one or the other handles each delivery.
    """

    lose: int = 0
    away: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    old: str = ""

    def __post_init__(self) -> None:
        """Refuse more losses than a state can count."""
        if not 0 <= self.lose <= MOST_LOST:
            raise ExploreError(
                f"{self.lose} deliveries cannot be lost: it is a number from 0 to {MOST_LOST}. "
                "One or two show what a flow depends on; each more multiplies the states."
            )

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Faults:
        """Read the faults from settings of a scenario."""
        away = tuple(dict.fromkeys(_names(settings.get("away", ""))))
        return cls(settings.get("lose", 0), away, _names(settings.get("foreign", "")), str(settings.get("old", "")))

    def refuse_unknown(self, services: Collection[str]) -> None:
        """Refuse a service in ``away`` that the flow does not have.

        Raises:
            ExploreError: a name is not the name of a service.
        """
        for name in self.away:
            if name not in services:
                near = get_close_matches(name, list(services), 1)
                raise ExploreError(
                    f"{name} cannot be away, as this flow has no service of that name."
                    f"{f' Did you mean {near[0]}?' if near else ''} Services are {', '.join(sorted(services))}."
                )


def _names(text: object) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in str(text).split(",")) if name)


NO_FAULTS: Final = Faults()
