"""The items that may happen in a run of the services themselves, and the steps that happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from choreography.engine.delivery import Delivery
from choreography.engine.records import CommittedIntent
from choreography.explore.foreign import Foreign


@dataclass(frozen=True, slots=True)
class Item:
    """An item under way: to a service, from a service to the outside, or from a foreign publisher to this flow."""

    style: str
    service: str
    type: str
    name: str
    text: str
    thing: Delivery | CommittedIntent | Foreign = field(repr=False, compare=False)

    @property
    def data(self) -> dict[str, Any]:
        """Its content."""
        data: dict[str, Any] = orjson.loads(self.text)
        return data


@dataclass(frozen=True, slots=True)
class Happened:
    """One step and its result."""

    item: Item
    sender: str
    replies: str = ""
    changed: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    problem: str = ""
    idle: bool = False
    """The service kept, said and wanted the same as before."""
