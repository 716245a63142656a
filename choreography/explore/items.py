"""The items under way in a run: their senders, and how an event of a foreign publisher becomes one."""

from __future__ import annotations

import orjson

from choreography.engine.delivery import Delivery
from choreography.explore.foreign import Foreign
from choreography.explore.model import Model
from choreography.explore.steps import Item


def sender_of(model: Model, item: Item) -> str:
    """Return the sender of an item: a service, a foreign publisher or an outside."""
    if item.style == "event":
        return str(orjson.loads(item.thing.raw)["source"]) if isinstance(item.thing, Delivery) else ""
    if item.style == "intent":
        return model.outside_of(item.service, item.type)
    if item.style == "answer":
        return model.outside_that_answers(item.service, item.type)
    return item.service


def coming(foreign: Foreign, text: str) -> Item:
    """Return an event of a foreign publisher that may come at any moment."""
    return Item("foreign", foreign.source, foreign.wire_type, foreign.name, text, foreign)
