"""Texts without the ids of flows, so that one flow's steps are known for every other flow.

Two flows that read each other cannot be exchanged; then every id stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from choreography.explore.flow_ids import ids_of
from choreography.explore.production_step import Arrival
from choreography.explore.world import Interruption

PLACE: Final = "\ue000"
_DIGEST_OF: Final = "\ue001"
SHARED: Final = -1


class AsymmetricError(Interruption):
    """A text names two flows at once, so they are not interchangeable."""


class FlowNaming:
    """Takes the ids of flows out of texts and puts them back."""

    def __init__(self, flows: tuple[str, ...], digest: Callable[[Arrival], str]) -> None:
        self.flows, self._digest, self._ids = flows, digest, ids_of(flows)
        self._tokens: dict[str, str] = {}
        self._heard: list[Arrival] = []
        self._numbers: dict[tuple[str, str], int] = {}

    def home(self, *texts: str) -> int:
        """Return the flow that texts name, or SHARED.

        Raises:
            AsymmetricError: they name more than one flow, or it is unclear which one.
        """
        found = self._ids.numbers(*texts)
        if len(found) > 1 or self._ids.unclear(*texts):
            raise AsymmetricError(texts)
        return found[0] if found else SHARED

    def near(self, number: int, text: str) -> int:
        """Return the flow that a text names, or SHARED; the text came out of a step of the flow ``number``.

        Raises:
            AsymmetricError: it names another flow.
        """
        home = self.home(text)
        if home not in (number, SHARED):
            raise AsymmetricError(text)
        return home

    def neutral(self, text: str, home: int) -> str:
        """Return a text without the id of its own flow.

        Raises:
            AsymmetricError: it names another flow.
        """
        if self.home(text) not in (home, SHARED):
            raise AsymmetricError(text)
        return self._ids.replaced(text, self.flows[home], PLACE) if home != SHARED else text

    def concrete(self, text: str, home: int) -> str:
        """Return a text with the id of a flow filled in."""
        return text.replace(PLACE, self.flows[home]) if home != SHARED else text

    def heard(self, neutral: Arrival, home: int) -> Arrival:
        """Return an event, answer or deadline with the id of a flow filled in; record its digest."""
        concrete = Arrival(neutral.style, neutral.service, neutral.type, self.concrete(neutral.text, home))
        # The digest of an event is the same for all its consumers.
        number = self._numbers.setdefault((neutral.type, neutral.text), len(self._heard))
        if number == len(self._heard):
            self._heard.append(neutral)
        self._tokens.setdefault(self._digest(concrete), f"{_DIGEST_OF}{number}")
        return concrete

    def neutral_slots(self, slots: Any) -> Any:
        """Return a join's slots by the texts behind their digests, because digests hide the ids of flows."""
        return _mapped(slots, lambda text: self._tokens.get(text, text))

    def concrete_slots(self, slots: Any, home: int) -> Any:
        """Return a join's slots by their digests again."""

        def put_back(text: str) -> str:
            if not text.startswith(_DIGEST_OF):
                return text
            neutral = self._heard[int(text.removeprefix(_DIGEST_OF))]
            return self._digest(self.heard(neutral, home))

        return _mapped(slots, put_back)


def _mapped(data: Any, change: Callable[[str], str]) -> Any:
    if isinstance(data, str):
        return change(data)
    if isinstance(data, dict):
        return {key: _mapped(value, change) for key, value in data.items()}
    return [_mapped(one, change) for one in data] if isinstance(data, list) else data
