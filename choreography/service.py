"""Declaring a service: its name, its published events, and its reactions, each with a decorator of its own.

Every fact about a service is declared here and nowhere else. The runtime, the Dapr files, the diagrams, the lint and
the model checker all read it from here (see :mod:`choreography.declared` for the facts themselves).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, Literal, TypeVar

from choreography.completeness import refuse_incomplete
from choreography.contracts import Entity, Event
from choreography.declaration import (
    Consumed,
    ConsumedType,
    Reaction,
    View,
    read_command,
    read_effect,
    read_reaction,
    undo_of,
    with_delay,
)
from choreography.declared import Declared
from choreography.errors import DeclarationError
from choreography.families import warn_of_topic
from choreography.listing import By, read_list

Function = TypeVar("Function", bound=Callable[..., Any])

_NAME: Final = re.compile(r"^[a-z][a-z0-9-]{0,62}$")
_LONG: Final = timedelta(days=1)


class Service(Declared):
    """One deployable: a name (its Dapr app id), the events it publishes, the entities it owns and its reactions.

    Args:
        name: the Dapr app id.
        publishes: every event it may publish. Each family of events has its own topic and no other publisher.
        outbox: whether its application publishes events too, in its own transactions (``choreography.outbox``).
        starts: whether a new deployment wants the events published before its first subscription.
        topic: accepted and ignored, for programs written when a service had one topic for all of its events.

    >>> class OrderPlaced(Event, type="order.placed.v1", owner="order", subject="order_id"):
    ...     order_id: Id
    >>> Service("order", publishes=[OrderPlaced])
    <choreography.Service order>
    """

    def __init__(
        self,
        name: str,
        *,
        publishes: Iterable[type[Event]] = (),
        outbox: bool = False,
        starts: Literal["beginning", "now"] = "beginning",
        topic: str = "",
    ) -> None:
        if not _NAME.match(name):
            raise DeclarationError(f"{name!r} cannot be a Dapr app id. Use lower-case letters, digits and hyphens.")
        if topic:
            warn_of_topic(f"The service {name}", "Remove it.", depth=1)
        super().__init__(name, tuple(publishes), outbox=outbox, starts=starts)
        for event in self.publishes:
            if sum(other.wire_type == event.wire_type for other in self.publishes) > 1:
                raise DeclarationError(f"{name} publishes {event.wire_type} twice. Keep one of the two.")
            if event.owned_by not in ("", name):
                raise DeclarationError(
                    f"{name} publishes {event.__name__}, whose owner is {event.owned_by!r}, so every consumer would "
                    f"refuse it. An event has one publisher: let {event.owned_by} publish it, or declare another event "
                    f'with owner="{name}".'
                )

    def __repr__(self) -> str:
        return f"<choreography.Service {self.name}>"

    def on(self, heard: Consumed, *, name: str = "") -> Callable[[Function], Function]:
        """Declare a reaction to one event, or to the answer of an effect."""

        def declare(function: Function) -> Function:
            self._add(read_reaction(function, (heard,), name or function.__name__, "event"))
            return function

        return declare

    def when_all(self, *heard: type[Event], name: str = "") -> Callable[[Function], Function]:
        """Declare a join: the reaction runs once, when each of these events has been delivered for its entity."""

        def declare(function: Function) -> Function:
            join = read_reaction(function, heard, name or function.__name__, "join")
            self._add(join)
            for event in heard:
                for undoing in event.undone_by:
                    self._add(undo_of(join, undoing))
            return function

        if len(set(heard)) < 2:
            raise DeclarationError("when_all waits for at least two different events; use on() for one.")
        return declare

    def deadline(self, *, after: type[Event], within: timedelta, name: str = "") -> Callable[[Function], Function]:
        """Declare a deadline: it runs ``within`` after the event's time, and decides nothing if all is well."""

        def declare(function: Function) -> Function:
            reaction = read_reaction(function, (after,), name or function.__name__, "deadline")
            if after.wire_type not in self.subjects:
                raise DeclarationError(
                    f"The deadline {reaction.name} starts at {after.__name__}, to which {self.name} does not react. "
                    "Declare the reaction above the deadline."
                )
            timed = with_delay(reaction, within)
            self._check_said(timed)
            wire_type = self.due_type(timed)
            if wire_type in self.subjects:
                raise DeclarationError(
                    f"{self.name} has two deadlines named {timed.name!r}, and what is due could not tell them apart. "
                    "Rename one."
                )
            self.deadlines.setdefault(after.wire_type, []).append(timed)
            self.subjects[wire_type] = ConsumedType(wire_type, after, "", [timed])
            return function

        return declare

    def effect(
        self,
        *,
        outside: str,
        timeout: timedelta = timedelta(seconds=10),
        at_once: int = 64,
        keeps_keys: timedelta = _LONG,
    ) -> Callable[[Function], Function]:
        """Declare how an intent is carried out: the only impure place, called after the intent is committed.

        Args:
            outside: the name of the system that it calls; the address is configured (``OUTSIDE_<NAME>``).
            timeout: how long one call may take.
            at_once: how many calls may be under way at once in one replica.
            keeps_keys: how long the outside remembers an idempotency key; an older intent is quarantined for a person.
        """

        def declare(function: Function) -> Function:
            effect = read_effect(function, outside, timeout, at_once, keeps_keys)
            if effect.intent in self.effects:
                raise DeclarationError(
                    f"{self.name} carries out {effect.intent.__name__} twice, in {self.effects[effect.intent].name} "
                    f"and {effect.name}. Keep one."
                )
            self.effects[effect.intent] = effect
            return function

        return declare

    def command(self, route: str, *, of: type[Entity] | None = None) -> Callable[[Function], Function]:
        """Declare a command: a pure function from a request to its one event. The reaction runs later.

        Args:
            route: method and path, ``POST /orders``.
            of: the entity that must exist (or have just been accepted); otherwise the response is 404.
        """

        def declare(function: Function) -> Function:
            command = read_command(function, route, of)
            if command.event not in self.publishes:
                raise DeclarationError(_undeclared(self.name, command.name, command.event))
            if any((known.method, known.path) == (command.method, command.path) for known in self.commands):
                raise DeclarationError(f"{self.name} has two commands at {route!r}; only the first would be reached.")
            self.commands.append(command)
            return function

        return declare

    def view(self, path: str, entity: type[Entity], *, by: By | None = None, newest_first: bool = False) -> None:
        """Declare a view: ``GET path`` shows an entity, whose key is the path's last part; with ``by``, a list.

        Args:
            path: for one entity ``/orders/{order_id}``, for a list ``/orders``.
            entity: the class of the shown entities.
            by: the fields by which the list may be filtered. Each has an index in the order of the list; a tuple of
                fields has one common index.
            newest_first: the order of the list, by the first write of each entity.
        """
        if by is not None:
            self.lists.append(read_list(path, entity, by, newest_first=newest_first))
            return
        if newest_first:
            raise DeclarationError(f"The view {path!r} shows one {entity.__name__}, so it has no order. Add by=().")
        if f"{{{entity.key_field}}}" not in path:
            raise DeclarationError(
                f"The view {path!r} must contain {{{entity.key_field}}}, the key of {entity.__name__}. For a list add "
                "the fields by which it may be asked for, or by=()."
            )
        self.views.append(View(path, entity))

    def delay(self, name: str, within: timedelta) -> None:
        """Change how long a declared deadline waits, for this process.

        Raises:
            DeclarationError: there is no deadline of that name.
        """
        known = {reaction.name for reactions in self.deadlines.values() for reaction in reactions}
        if not known:
            return
        if name not in known:
            raise DeclarationError(f"{self.name} has no deadline {name!r}; it has {', '.join(sorted(known))}.")
        for reactions in self.deadlines.values():
            reactions[:] = [replace(one, within=within) if one.name == name else one for one in reactions]

    def check(self) -> None:
        """Refuse mistakes that show only when the whole file has been read.

        Raises:
            DeclarationError: an intent, answer, command or view leads nowhere.
        """
        refuse_incomplete(self)

    def _add(self, reaction: Reaction) -> None:
        self._check_said(reaction)
        self._refuse_shared_kinds(reaction)
        for model in reaction.hears:
            if not model.wire_type:
                raise DeclarationError(
                    f'{model.__name__} has no wire type. Add type="order.created.v1" to its class line.'
                )
            topic = model.topic if issubclass(model, Event) else ""
            subject = self.subjects.setdefault(model.wire_type, ConsumedType(model.wire_type, model, topic))
            if subject.model is not model:
                raise DeclarationError(
                    f"{self.name} reads {model.wire_type} both as {subject.model.__name__} and as {model.__name__}. "
                    "Keep one."
                )
            self._refuse_twins(reaction, subject.reactions)
            subject.reactions.append(reaction)

    def _refuse_twins(self, reaction: Reaction, others: Iterable[Reaction]) -> None:
        if any(other.name == reaction.name for other in others):
            raise DeclarationError(
                f"{self.name} has two reactions named {reaction.name!r} to one event. The ids of what a reaction says "
                "derive from its name, so the second would be taken for a repeat of the first. Rename one."
            )

    def _refuse_shared_kinds(self, reaction: Reaction) -> None:
        kinds = {entity.kind: entity for entity in self.entities}
        for named in reaction.named:
            known = kinds.get(named.entity.kind, named.entity)
            if known is not named.entity:
                raise DeclarationError(
                    f"{self.name} keeps both {known.__name__} and {named.entity.__name__} as {known.kind!r}, so one "
                    'would overwrite the other. Give one its own kind: class Order(Entity, key="...", kind="...").'
                )

    def _check_said(self, reaction: Reaction) -> None:
        for said in sorted(reaction.said, key=lambda kind: kind.__name__):
            if issubclass(said, Event) and said not in self.publishes:
                raise DeclarationError(_undeclared(self.name, reaction.name, said))


def _undeclared(service: str, where: str, event: type[Event]) -> str:
    return (
        f"{where} of {service} says {event.__name__}, which {service} does not declare, so no topic scope would let it "
        f"through. Add it: Service({service!r}, ..., publishes=[{event.__name__}, ...])."
    )
