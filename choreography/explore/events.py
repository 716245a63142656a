"""The events of a flow: who publishes them, who consumes them, and their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from choreography.contracts import Event
from choreography.explore.properties import ExploreError
from choreography.service import Service


class Events:
    """The events that some services publish or consume.

    Attributes:
        publishers: the service that publishes an event, by its wire type.
    """

    def __init__(self, flow: str, services: Iterable[Service]) -> None:
        self._flow = flow
        self._published: dict[str, type[Event]] = {}
        self._heard: dict[str, list[type[Event]]] = {}
        publishers: dict[str, str] = {}
        for service in services:
            for event in service.publishes:
                publishers.setdefault(event.wire_type, service.name)
                self._published.setdefault(event.wire_type, event)
            for event in (one for events in service.hears.values() for one in events):
                self._heard.setdefault(event.wire_type, []).append(event)
        self.publishers: Mapping[str, str] = publishers

    def source(self, wire_type: str) -> str:
        """Return the name of the publisher of an event: a service, or a foreign publisher.

        Raises:
            ExploreError: no service publishes or consumes it.
        """
        if wire_type in self.publishers:
            return self.publishers[wire_type]
        if wire_type not in self._heard:
            raise ExploreError(
                f"No service of {self._flow} publishes or hears {wire_type}, so nothing can begin with it. "
                "Begin with an event that a service hears."
            )
        event = self._heard[wire_type][0]
        return event.owned_by or event.topic

    def name(self, wire_type: str) -> str:
        """Return the name of the class of an event; None if no service knows it."""
        known = [self._published[wire_type]] if wire_type in self._published else self._heard.get(wire_type, [])
        return known[0].__name__ if known else ""

    def heard_as(self, name: str) -> tuple[type[Event], ...]:
        """Return the contracts by which services consume an event, by its name or wire type; its publisher's first.

        Raises:
            ExploreError: no service consumes an event of this name, or several different events have it.
        """
        found = {
            wire_type: tuple(dict.fromkeys([*filter(None, [self._published.get(wire_type)]), *heard]))
            for wire_type, heard in self._heard.items()
            if name == wire_type or any(event.__name__ == name for event in heard)
        }
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            raise ExploreError(
                f"{name} is the name of several events, so it is unclear which comes. Name one by its wire type: "
                f"{', '.join(found)}."
            )
        known = sorted(map(self.name, self._heard))
        near = get_close_matches(name, [*known, *self._heard], 1)
        raise ExploreError(
            f"{name} cannot come from a foreign publisher, as no service of this flow hears an event of that name, so "
            f"nothing would come of it.{f' Did you mean {near[0]}?' if near else ''} Events are {', '.join(known)}."
        )
