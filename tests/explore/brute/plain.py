"""Finds every world that a flow can reach, by taking every step from every world on the services themselves.

It leaves out no step, exchanges no flows and caches nothing: it is slow, but so simple that few mistakes are possible.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from choreography.engine.identity import OUTCOME, Key
from choreography.engine.operations import Stored
from choreography.engine.records import CommittedIntent, EntityRecord
from choreography.explore import Replay, Scenario
from choreography.explore.model import Model
from choreography.explore.properties import Property
from choreography.explore.steps import Item


class TooManyError(Exception):
    """There are more worlds than anybody wants to wait for."""


@dataclass(slots=True)
class Place:
    """One world: the services after a run, how long the run is, and which intents were asked for once in vain."""

    replay: Replay
    depth: int
    lost: frozenset[str]


def worlds(model: Model, scenario: Scenario, most: int) -> list[Place]:
    """Return every world, each at the end of a shortest run.

    Raises:
        TooManyError: there are more than ``most``.
    """
    first = Place(Replay(replace(model, properties=()), scenario), 0, frozenset())
    found = {_key(first): first}
    level = [first]
    while level:
        following = []
        for place in level:
            for after in _after(place):
                key = _key(after)
                if key not in found:
                    found[key] = after
                    following.append(after)
                    if len(found) > most:
                        raise TooManyError
        level = following
    return list(found.values())


def failures(places: list[Place], prop: Property) -> int | None:
    """Return after how many steps a property fails for the first time; None if it never does.

    One that must be possible fails before the first step.
    """
    reached = False
    for place in places:
        for flow in place.replay.scenario.flows if prop.each else ("",):
            if prop.mode == "sometimes":
                reached = reached or prop.holds(place.replay.world, flow)
            elif (prop.mode != "eventually" or not place.replay.possible) and prop.fails(place.replay.world, flow):
                return place.depth
    return 0 if prop.mode == "sometimes" and not reached else None


def _after(place: Place) -> Iterator[Place]:
    for item in dict.fromkeys(place.replay.possible):
        for label in _labels(place, item):
            after = _copied(place.replay)
            after._step(next(one for one in after.pending if one is item), label)
            lost = place.lost | {_key_of(item)} if label.endswith(", lost") else place.lost
            yield Place(after, place.depth + 1, lost)


def _labels(place: Place, item: Item) -> Iterator[str]:
    for label in place.replay.replies_to(item):
        # After one call without a reply, an intent is not asked again without a reply.
        if not (item.style == "intent" and label.endswith(", lost") and _key_of(item) in place.lost):
            yield label


def _key_of(item: Item) -> str:
    return item.thing.key if isinstance(item.thing, CommittedIntent) else ""


def _copied(replay: Replay) -> Replay:
    other = copy.copy(replay)
    other.services = {name: copy.copy(memory) for name, memory in replay.services.items()}
    for memory in other.services.values():
        memory._store = dict(memory._store)
    for name in ("pending", "happened", "left_out", "lost", "_calls", "_quarantined"):
        setattr(other, name, list(getattr(replay, name)))
    other._published, other._broken = dict(replay._published), {}
    return other


def _key(place: Place) -> Any:
    replay = place.replay
    pending = sorted((one.style, one.service, one.type, one.text, _key_of(one) in place.lost) for one in replay.pending)
    stores = [_kept(service, memory._store) for service, memory in replay.services.items()]
    return (
        tuple(pending),
        tuple(sorted(_words(raw) for raw in replay._published.values())),
        tuple(stores),
        tuple(sorted(replay._calls)),
        tuple(sorted(replay._quarantined)),
        len(replay.lost),
    )


def _words(raw: str) -> tuple[str, str]:
    """Return the content of a published event, without its cause."""
    return raw.partition('"type":"')[2].partition('"')[0], raw.partition('"data":')[2]


def _kept(service: str, store: dict[Key, Stored]) -> Any:
    told = []
    for key, stored in sorted(store.items()):
        if (key.service, key.kind) != (service, OUTCOME):
            record = EntityRecord.decode(stored.value)
            told.append((key, repr(record.state), repr(_without_ids(record.slots))))
    return tuple(told)


def _without_ids(data: Any) -> Any:
    """Return a join's slots without event ids, which differ between events of equal content."""
    if isinstance(data, dict):
        return {name: _without_ids(value) for name, value in sorted(data.items()) if name != "id"}
    return data
