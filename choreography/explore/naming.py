"""Texts without the ids of flows in them, so that what one order goes through is known for every other.

Two flows that look at each other cannot be exchanged; then everything is kept as it is.
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
    """Something is about two flows at once, so they are not interchangeable."""


class FlowNaming:
    """Takes the ids of flows out of texts and puts them back."""

    def __init__(self, flows: tuple[str, ...], digest: Callable[[Arrival], str]) -> None:
        self.flows, self._digest, self._ids = flows, digest, ids_of(flows)
        self._tokens: dict[str, str] = {}
        self._heard: list[Arrival] = []
        self._numbers: dict[tuple[str, str], int] = {}

    def home(self, *texts: str) -> int:
        """Return which flow texts are about, or SHARED.

        Raises:
            AsymmetricError: they are about more than one, or it is unclear about which.
        """
        found = self._ids.numbers(*texts)
        if len(found) > 1 or self._ids.unclear(*texts):
            raise AsymmetricError(texts)
        return found[0] if found else SHARED

    def near(self, number: int, text: str) -> int:
        """Return which flow a text is about that came out of a step of the flow ``number``, or SHARED.

        Raises:
            AsymmetricError: it is about another flow.
        """
        home = self.home(text)
        if home not in (number, SHARED):
            raise AsymmetricError(text)
        return home

    def neutral(self, text: str, home: int) -> str:
        """Return a text with the id of its own flow taken out.

        Raises:
            AsymmetricError: it is about another flow.
        """
        if self.home(text) not in (home, SHARED):
            raise AsymmetricError(text)
        return self._ids.replaced(text, self.flows[home], PLACE) if home != SHARED else text

    def concrete(self, text: str, home: int) -> str:
        """Return a text with the id of a flow put in."""
        return text.replace(PLACE, self.flows[home]) if home != SHARED else text

    def heard(self, neutral: Arrival, home: int) -> Arrival:
        """Return what is heard with the id of a flow put in. Its digest is known from now on."""
        concrete = Arrival(neutral.style, neutral.service, neutral.type, self.concrete(neutral.text, home))
        # The digest of an event is the same for all who hear it.
        number = self._numbers.setdefault((neutral.type, neutral.text), len(self._heard))
        if number == len(self._heard):
            self._heard.append(neutral)
        self._tokens.setdefault(self._digest(concrete), f"{_DIGEST_OF}{number}")
        return concrete

    def neutral_slots(self, slots: Any) -> Any:
        """Return a join's slots with digests, which hide the ids of flows, told by what they are digests of."""
        return _mapped(slots, lambda text: self._tokens.get(text, text))

    def concrete_slots(self, slots: Any, home: int) -> Any:
        """Return a join's slots with the digests put back."""

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
