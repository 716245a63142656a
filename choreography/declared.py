"""The declarations of a service: the facts that its runtime, its files and its checks read.

They are collected by the decorators of :class:`choreography.service.Service`, and by nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Literal, Self

from choreography.contracts import Entity, Event, Intent
from choreography.declaration import Command, ConsumedType, Effect, Reaction, View
from choreography.listing import ListView
from choreography.own_tables import OwnTables, Projection


class Declared(OwnTables):
    """The facts about one service.

    Attributes:
        name: its Dapr app id.
        publishes: every event it may publish.
        starts: whether a new deployment wants the events published before its first subscription.
        outbox: whether its application publishes events too.
        subjects: what it does with each wire type that it consumes, fired deadlines and answers included.
        deadlines: its deadlines, by the wire type of the event at which they start.
        effects: its effects, by the intent that each carries out.
        commands: its commands, in the order declared.
        views: its views of single entities.
        lists: its lists.
    """

    def __init__(
        self, name: str, publishes: tuple[type[Event], ...], *, outbox: bool, starts: Literal["beginning", "now"]
    ) -> None:
        super().__init__()
        self.name, self.publishes, self.outbox, self.starts = name, publishes, outbox, starts
        self.subjects: dict[str, ConsumedType] = {}
        self.deadlines: dict[str, list[Reaction]] = {}
        self.effects: dict[type[Intent], Effect] = {}
        self.commands: list[Command] = []
        self.views: list[View] = []
        self.lists: list[ListView] = []

    def deciding_by(self, subjects: Mapping[str, ConsumedType], projections: Iterable[Projection]) -> Self:
        """Return the same service with other functions for its reactions and projections."""
        other = copy.copy(self)
        vars(other).update(subjects=dict(subjects), projections=list(projections))
        return other

    def due_type(self, reaction: Reaction) -> str:
        """Return the wire type under which a fired deadline reaches the engine."""
        return f"{self.name}.{reaction.name.replace('_', '-')}.due.v1"

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the events it publishes, one for each family."""
        return tuple(sorted({event.topic for event in self.publishes}))

    @property
    def hears(self) -> dict[str, list[type[Event]]]:
        """The events that it consumes, by topic."""
        heard: dict[str, list[type[Event]]] = {}
        for subject in self.subjects.values():
            if subject.topic and issubclass(subject.model, Event):
                heard.setdefault(subject.topic, []).append(subject.model)
        return heard

    @property
    def entities(self) -> frozenset[type[Entity]]:
        """The entities it owns."""
        return frozenset(
            named.entity
            for subject in self.subjects.values()
            for reaction in subject.reactions
            for named in reaction.named
        )
