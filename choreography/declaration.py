"""Reading a reaction's signature: the event it consumes, the entities it names, the events it may publish.

The signature is the declaration. Everything here runs at import, so that a contradiction is a failed import.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated, Any, Literal, Union

from choreography.contracts import Answer, Deadline, Entity, Event, Intent, Request, Value
from choreography.decision import said_in
from choreography.errors import DeclarationError
from choreography.fields import as_key, refuse_as_key
from choreography.outside import Outside
from choreography.parameters import NamedBy, is_new_id
from choreography.paths import refuse_our_path

Consumed = type[Event] | type[Answer]

Style = Literal["event", "join", "undo", "deadline"]
"""An undo belongs to a join: it empties the slot of the event that it undoes."""


@dataclass(frozen=True, slots=True)
class Named:
    """One entity parameter of a reaction: the entity's kind, and the fields of the event with its ids."""

    parameter: str
    entity: type[Entity]
    path: tuple[str, ...]
    many: bool
    optional: bool

    def ids(self, source: object) -> tuple[str, ...]:
        """Return the logical ids that this parameter names, without duplicates, in the event's order."""
        if len(self.path) == 1 and not isinstance(source, dict):
            # Nearly always the ids are one field of the event, and this is called several times for each event.
            only = getattr(source, self.path[0])
            if not isinstance(only, tuple):
                return (as_key(only),)
        return tuple(dict.fromkeys(_pluck(source, self.path)))


@dataclass(frozen=True, slots=True)
class Reaction:
    """One declared reaction."""

    name: str
    function: Callable[..., Any]
    style: Style
    hears: tuple[Consumed, ...]
    named: tuple[Named, ...]
    said: frozenset[type[Event | Intent]]
    event_parameters: Mapping[str, type[Value]]
    within: timedelta | None = None

    @property
    def joined(self) -> Named:
        """The one entity on which a join waits."""
        return self.named[0]


@dataclass(frozen=True, slots=True)
class Effect:
    """One declared effect: how an intent is carried out, and for how long the outside remembers its key."""

    name: str
    function: Callable[..., Any]
    intent: type[Intent]
    answers: tuple[type[Answer], ...]
    outside: str
    timeout: timedelta
    at_once: int
    keeps_keys: timedelta


@dataclass(frozen=True, slots=True)
class Command:
    """One declared command: an HTTP route whose accepted request is published as one event."""

    name: str
    function: Callable[..., Event]
    method: str
    path: str
    event: type[Event]
    body: tuple[str, type[Request]] | None
    new_ids: tuple[str, ...]
    path_parameters: Mapping[str, Any]
    of: type[Entity] | None


@dataclass(frozen=True, slots=True)
class View:
    """One declared view: an HTTP route that shows an entity."""

    path: str
    entity: type[Entity]


@dataclass(slots=True)
class ConsumedType:
    """Everything a service does with one wire type: its model and its reactions, in the order declared."""

    wire_type: str
    model: type[Value]
    topic: str
    reactions: list[Reaction] = field(default_factory=list)


def read_reaction(function: Callable[..., Any], hears: tuple[Consumed, ...], name: str, style: Style) -> Reaction:
    """Read one reaction's signature and refuse a reaction that could not run."""
    hints = typing.get_type_hints(function, include_extras=True)
    where = f"The reaction {name}"
    if inspect.iscoroutinefunction(function):
        raise DeclarationError(f"{where} is an async def, but it decides and waits for nothing. Call out in an effect.")
    if hints.get("return", type(None)) is type(None):
        raise DeclarationError(
            f"{where} has no return annotation, so nobody can tell what it says. Add -> Decision[...]."
        )
    expected: tuple[type[Value], ...] = (Deadline,) if style == "deadline" else hears
    named: list[Named] = []
    events: dict[str, type[Value]] = {}
    for parameter in inspect.signature(function).parameters:
        annotation = hints.get(parameter)
        entity = _read_named(annotation, parameter)
        if entity is not None:
            named.append(_checked_name(entity, hears, where))
        elif annotation in expected:
            events[parameter] = typing.cast("type[Value]", annotation)
        else:
            words = ", ".join(model.__name__ for model in expected)
            raise DeclarationError(
                f"{where} has the parameter {parameter!r} of type {annotation!r}, which nothing can fill. "
                f"A parameter is what is heard ({words}), an Entity, Entity | None, or "
                'Annotated[Mapping[str, Entity], named_by("path")].'
            )
    _check_style(where, style, named, events, hears)
    return Reaction(name, function, style, hears, tuple(named), said_in(hints["return"]), events)


def undo_of(join: Reaction, undoing: type[Event]) -> Reaction:
    """Declare that ``undoing`` empties its slot in ``join``, unless the join has run."""
    named = _checked_name(join.joined, (undoing,), f"The join {join.name}, which {undoing.__name__} undoes in part,")
    return replace(join, style="undo", hears=(undoing,), named=(named,), said=frozenset())


def with_delay(reaction: Reaction, within: timedelta) -> Reaction:
    """Return a deadline with another delay.

    Raises:
        DeclarationError: the delay is not positive.
    """
    if within <= timedelta(0):
        raise DeclarationError(f"The deadline {reaction.name} is due {within} after its event; it must lie ahead.")
    return replace(reaction, within=within)


def _check_style(
    where: str,
    style: str,
    named: Sequence[Named],
    events: Mapping[str, type[Value]],
    hears: Sequence[Consumed],
) -> None:
    if style != "event" and (len(named) != 1 or named[0].many):
        raise DeclarationError(f"{where} waits, so it needs exactly one entity to remember by; it names {len(named)}.")
    if style == "join" and set(events.values()) != set(hears):
        words = ", ".join(model.__name__ for model in hears)
        raise DeclarationError(f"{where} waits for all of {words}; take each of them as a parameter.")
    if style == "join" and not named[0].entity.can_be_blank():
        raise DeclarationError(
            f"{where} remembers by {named[0].entity.__name__}, which may not exist when the first event comes. "
            "Give every field but its key a default."
        )


def _read_named(annotation: Any, parameter: str) -> Named | None:
    path: tuple[str, ...] = ()
    if typing.get_origin(annotation) is Annotated:
        annotation, *extras = typing.get_args(annotation)
        marks = [extra for extra in extras if isinstance(extra, NamedBy)]
        path = tuple(marks[0].path.split(".")) if marks else ()
    origin = typing.get_origin(annotation)
    if isinstance(annotation, type) and origin is None and issubclass(annotation, Entity):
        return Named(parameter, annotation, path or (annotation.key_field,), many=False, optional=False)
    if origin in (Union, types.UnionType):
        kinds = [part for part in typing.get_args(annotation) if part is not type(None)]
        if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], Entity):
            return Named(parameter, kinds[0], path or (kinds[0].key_field,), many=False, optional=True)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        kind = typing.get_args(annotation)[1]
        if isinstance(kind, type) and issubclass(kind, Entity):
            return Named(parameter, kind, path or (kind.key_field,), many=True, optional=False)
    return None


def _checked_name(named: Named, hears: Sequence[Consumed], where: str) -> Named:
    if not named.optional and not named.entity.can_be_blank():
        raise DeclarationError(
            f"{where} takes {named.entity.__name__}, which has no blank form to show when none exists yet. "
            f"Write `{named.parameter}: {named.entity.__name__} | None`, or give its fields defaults."
        )
    for model in hears:
        _check_path(model, named.path, f"{where} names a {named.entity.__name__} by {'.'.join(named.path)!r}", model)
    return named


def _check_path(model: Any, path: tuple[str, ...], where: str, root: Consumed) -> None:
    while typing.get_origin(model) in (tuple, Annotated):
        model = typing.get_args(model)[0]
    if not path:
        refuse_as_key(model, f"{where}, which")
        return
    if isinstance(model, type) and issubclass(model, Value):
        # The annotation may have named a class that is declared after it.
        model.model_rebuild(raise_errors=False)
    if not (isinstance(model, type) and issubclass(model, Value) and path[0] in model.model_fields):
        known = ", ".join(model.model_fields) if isinstance(model, type) and issubclass(model, Value) else "no fields"
        raise DeclarationError(
            f"{where}, but {root.__name__} has no such field (there: {known}). "
            'Add the field to the event, or say where the id stands: Annotated[..., named_by("path")].'
        )
    _check_path(model.model_fields[path[0]].annotation, path[1:], where, root)


def _pluck(source: object, path: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(source, tuple):
        return tuple(text for part in source for text in _pluck(part, path))
    if not path:
        return (as_key(source),)
    inner = source[path[0]] if isinstance(source, Mapping) else getattr(source, path[0])
    return _pluck(inner, path[1:])


def read_command(function: Callable[..., Any], route: str, of: type[Entity] | None) -> Command:
    """Read one command's route and signature."""
    method, _, path = route.partition(" ")
    where = f"The command {function.__name__}"
    if method not in ("POST", "PUT", "DELETE") or not path.startswith("/"):
        raise DeclarationError(f'{where} is at {route!r}. Write a method and a path: "POST /orders".')
    refuse_our_path(path, where)
    hints = typing.get_type_hints(function, include_extras=True)
    event = hints.pop("return", None)
    if not (isinstance(event, type) and issubclass(event, Event) and event.wire_type):
        raise DeclarationError(f"{where} must return exactly one kind of event; say which with -> OrderCreated.")
    bodies = [(name, hint) for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Request)]
    if len(bodies) > 1:
        raise DeclarationError(f"{where} takes two bodies, {bodies[0][0]!r} and {bodies[1][0]!r}; a request has one.")
    new_ids = tuple(name for name, hint in hints.items() if is_new_id(hint))
    rest = {name: hint for name, hint in hints.items() if name not in new_ids and (name, hint) not in bodies}
    stray = [name for name in rest if f"{{{name}}}" not in path]
    if stray:
        raise DeclarationError(
            f"{where} has the parameter {stray[0]!r}, which is not in its path {path!r}. "
            "A parameter is the body (a Request), a NewId, or stands in the path."
        )
    untaken = [name for name in re.findall(r"{(\w+)}", path) if name not in rest]
    if untaken:
        raise DeclarationError(
            f"{where} has {{{untaken[0]}}} in its path {path!r}, which no parameter takes, so it could not tell one "
            f"from the other. Add the parameter {untaken[0]}: Id."
        )
    body = bodies[0] if bodies else None
    return Command(function.__name__, function, method, path, event, body, new_ids, rest, of)


def read_effect(
    function: Callable[..., Any], outside: str, timeout: timedelta, at_once: int, keeps: timedelta
) -> Effect:
    """Read one effect's signature: its parameters are an intent and the outside, it returns answers."""
    hints = typing.get_type_hints(function)
    where = f"The effect {function.__name__}"
    if not inspect.iscoroutinefunction(function):
        raise DeclarationError(f"{where} calls the outside, so it must be an async def.")
    returned = hints.pop("return", None)
    intents = [hint for hint in hints.values() if isinstance(hint, type) and issubclass(hint, Intent)]
    parts = typing.get_args(returned) if typing.get_origin(returned) in (Union, types.UnionType) else (returned,)
    answers = tuple(part for part in parts if isinstance(part, type) and issubclass(part, Answer))
    if len(intents) != 1 or [*hints.values()] != [*intents, Outside] or len(answers) != len(parts):
        raise DeclarationError(
            f"{where} must take one Intent and the Outside, in this order, and return Answers only, "
            "so that every answer reaches a reaction."
        )
    return Effect(function.__name__, function, intents[0], answers, outside, timeout, at_once, keeps)
