"""A run as the numbers of its choices: short enough for an address, which can be kept, sent and returned to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from choreography.explore.model import Model
from choreography.explore.properties import ExploreError
from choreography.explore.rerunning import Replay
from choreography.explore.runs import Taken
from choreography.explore.scenario import Scenario
from choreography.explore.steps import Item

LONGEST: Final = 500
"""Steps of a run that can be shown. Each page takes its run from the beginning, so this bounds the work of a page."""


@dataclass(frozen=True, slots=True)
class Option:
    """One step that is possible now.

    Attributes:
        number: its position among all steps that are possible now.
        replies: the replies of the outside if the step carries out an intent; else empty.
    """

    number: int
    item: Item
    replies: str = ""


def options(replay: Replay) -> list[Option]:
    """Return every step that is possible now, in the order in which the steps became possible."""
    found = [(item, replies) for item in replay.possible for replies in replay.replies_to(item)]
    return [Option(number, item, replies) for number, (item, replies) in enumerate(found)]


@dataclass(frozen=True, slots=True)
class Course:
    """A run: the steps that were taken, one after another."""

    choices: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Course:
        """Read a run from an address, such as ``3.0.2``.

        Raises:
            ExploreError: the text is no run, or the run is too long to be shown.
        """
        words = text.split(".") if text else []
        if len(words) > LONGEST:
            raise ExploreError(f"This run has {len(words)} steps; a page shows runs of up to {LONGEST}.")
        if not all(word.isdecimal() and word.isascii() and len(word) <= 6 for word in words):
            raise ExploreError(
                f"{text[:40]!r} is no run. A run is the numbers of its steps with dots between them, such as 3.0.2; "
                "begin again and click the steps."
            )
        return cls(tuple(int(word) for word in words))

    def __str__(self) -> str:
        return ".".join(str(choice) for choice in self.choices)

    def then(self, choice: int) -> Course:
        """Return the run that goes on with one more step."""
        return Course((*self.choices, choice))

    def first(self, steps: int) -> Course:
        """Return the beginning of the run."""
        return Course(self.choices[:steps])

    def taken(self, model: Model, scenario: Scenario) -> Replay:
        """Take the run on the services as production runs them.

        Raises:
            ExploreError: one of its steps is not possible, because the flow or the scenario has changed.
        """
        replay = Replay(model, scenario)
        for place, choice in enumerate(self.choices, 1):
            possible = options(replay)
            if choice >= len(possible):
                raise ExploreError(
                    f"Step {place} of this run is number {choice} of what is possible there, and only "
                    f"{len(possible)} steps are. The flow or the scenario has changed since; begin again."
                )
            _take(replay, possible[choice])
        return replay

    def to_the_end(self, model: Model, scenario: Scenario) -> Course:
        """Return the run that continues with the oldest step again and again, until nothing is under way.

        A page limits the length of a run, so the result may stop at this limit before the run has ended.
        """
        replay, choices = self.taken(model, scenario), list(self.choices)
        while len(choices) < LONGEST and (possible := options(replay)):
            _take(replay, possible[0])
            choices.append(0)
        return Course(tuple(choices))


def course_along(model: Model, scenario: Scenario, steps: Iterable[Taken]) -> Course:
    """Return the choices of a run that a search found.

    Raises:
        ExploreError: a step is not possible on the services, though the search took it.
    """
    replay, choices = Replay(model, scenario), list[int]()
    for step in steps:
        wanted = (step.style, step.service, step.type, step.text, step.replies)
        found = next((one for one in options(replay) if _told(one) == wanted), None)
        if found is None:
            raise ExploreError(f"The services cannot take the step {wanted}, which the search took: please report it.")
        _take(replay, found)
        choices.append(found.number)
    return Course(tuple(choices))


def _told(option: Option) -> Sequence[str]:
    item = option.item
    return (item.style, item.service, item.type, item.text, option.replies)


def _take(replay: Replay, option: Option) -> None:
    item = option.item
    replay.take(item.style, item.service, item.type, item.text, option.replies)
