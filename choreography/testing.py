"""Given, when, then: tests of reactions that read like the rules that they check.

::

    given(inventory, Shelf(sku="cup", available=2)).when(order_created).then(
        Reservation(order_id="o1", status="held"),
        Shelf(sku="cup", available=1, taken=1),
        StockReserved(order_id="o1"),
    )

Nothing is imitated: every event is encoded, settled and released by the engine that serves it in production. Two equal
events are one event, delivered twice; ``another(event)`` is a second event with the same data.

A deadline is scheduled by its declaration and not by a decision, so it has an end of its own, ``then_due``.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Literal, NoReturn, Self, TypeAlias

import orjson

from choreography.analysis.examples import example as made_up
from choreography.contracts import Answer, Entity, Event, Gone, Intent, Value
from choreography.declaration import Reaction
from choreography.engine.delivery import QUARANTINED_TYPE
from choreography.engine.records import CommittedIntent, Outgoing
from choreography.fields import alternatives
from choreography.in_memory import Delivered, InMemory
from choreography.service import Service

__all__ = ["Came", "Given", "another", "every_order", "every_state", "given", "states_of"]

# A failure must point at the line of the test, not at this module.
__tracebackhide__ = True


@dataclass(frozen=True, slots=True)
class Another:
    """A second event, with an id of its own, that has the data of a first."""

    heard: Event | Answer
    number: int


Input: TypeAlias = Event | Answer | Another
Fact: TypeAlias = Entity | Event | Intent | Gone


def another(heard: Event | Answer, number: int = 2) -> Another:
    """Return an event with the same data but its own id, so that it is no repeat of the first."""
    return Another(heard, number)


def given(service: Service, *earlier: Entity | Input) -> Given:
    """Begin a test: a service, the entities that it keeps, and the events that it has consumed, in this order."""
    return Given(service, earlier)


class Given:
    """A service with a past, ready for the event under test."""

    def __init__(self, service: Service, earlier: Iterable[Entity | Input]) -> None:
        self._service, self._memory = service, InMemory(service)
        self._story, self._past = [f"given {service.name}"], list[Delivered]()
        for one in earlier:
            self._story.append(f"      {one!r}")
            if isinstance(one, Entity):
                self._memory.put(one)
                continue
            self._past.append(_hear(self._memory, one))
            for reason in self._past[-1].explained:
                raise AssertionError("\n".join([*self._story, f"but that was quarantined: {reason}"]))

    def when(self, *heard: Input) -> Came:
        """Deliver events, and answers of effects, one after another."""
        before = self._memory.entities
        came = [_hear(self._memory, one) for one in heard]
        return Came(self._memory, [*self._story, *(f"when  {one!r}" for one in heard)], before, self._past, came)

    def when_due(self, name: str, *, of: Event) -> Came:
        """Let the deadline ``name`` fire, which the event ``of`` started."""
        due_type = self._service.due_type(_deadline(self._service, name))
        # A deadline follows from the event alone, so a service without a past can compute it.
        deadlines = _hear(InMemory(self._service), of).deadlines
        fired = [self._memory.fired(due) for due in deadlines]
        fired = [one for one in fired if one.envelope and one.envelope.type == due_type]
        if not fired:
            raise TypeError(f"The deadline {name!r} does not start at {type(of).__name__}.")
        before = self._memory.entities
        came = [self._memory.hear(one) for one in fired]
        story = [*self._story, f"when  the deadline {name!r} of {of!r} comes"]
        return Came(self._memory, story, before, self._past, came)


class Came:
    """The result of the deliveries. Each ``then...`` checks one thing and can be followed by another.

    Attributes:
        facts: the changed entities, the published events and the decided intents. An event that was only published
            again is no new fact: it has the same id.
        quarantined: the reasons for which events were quarantined.
    """

    def __init__(
        self,
        memory: InMemory,
        story: Sequence[str],
        before: dict[tuple[str, str], Entity],
        past: Sequence[Delivered],
        came: Sequence[Delivered],
    ) -> None:
        self._service, self._story = memory.service, story
        after = memory.entities
        self.quarantined = tuple(reason for one in came for reason in one.quarantined)
        self.explained = tuple(reason for one in came for reason in one.explained)
        told = {event.encoded for one in past for event in one.events}
        asked = {committed for one in past for committed in one.intents}
        self.facts: tuple[Value | str, ...] = (
            *(entity for place, entity in after.items() if before.get(place) != entity),
            *(_gone(entity) for place, entity in before.items() if place not in after),
            *_said(self._service, (event for one in came for event in one.events if event.encoded not in told)),
            *_wished(self._service, (committed for one in came for committed in one.intents if committed not in asked)),
        )
        self._deadlines = {
            (orjson.loads(due.encoded)["type"], due.at - memory.now) for released in came for due in released.deadlines
        }

    def then(self, first: Fact, *others: Fact) -> Self:
        """Check that exactly these entities changed to this, and that exactly these events and intents were decided."""
        return self._exactly([_gone(one.entity) if isinstance(one, Gone) else one for one in (first, *others)])

    def then_nothing(self) -> Self:
        """Check that nothing happened: no entity changed, no event was published, no intent was decided."""
        return self._exactly([])

    def then_quarantined(self, part: str) -> Self:
        """Check that the event was quarantined, for a reason that holds ``part``, and that it had no other effect."""
        if self.facts or not any(part in reason for reason in self.quarantined):
            expected = [f"nothing but a quarantine because of {part!r}"]
            self._fail([*_lines("expected", expected), *_lines("came", [*self.explained, *self.facts])])
        return self

    def then_due(self, name: str, *, after: timedelta) -> Self:
        """Check that the deadline ``name`` will fire so long ``after`` the event that started it."""
        wanted = (self._service.due_type(_deadline(self._service, name)), after)
        if wanted not in self._deadlines:
            came = [f"{due_type} after {later}" for due_type, later in sorted(self._deadlines)]
            self._fail([*_lines("expected", [f"{wanted[0]} after {after}"]), *_lines("came", came or ["no deadline"])])
        return self

    def _exactly(self, expected: Sequence[Value | str]) -> Self:
        missing, strange = list(expected), list[Value | str]()
        for fact in self.facts:
            if fact in missing:
                missing.remove(fact)
            else:
                strange.append(fact)
        if missing or strange or self.quarantined:
            self._fail([*_lines("quarantined", self.explained), *_difference(missing, strange)])
        return self

    def _fail(self, lines: Iterable[str]) -> NoReturn:
        raise AssertionError("\n".join([*self._story, "then", *lines]))


def states_of(example: Entity) -> list[Entity]:
    """Return ``example`` in each of its possible states: each combination of its Literal, Enum and bool fields.

    A field that holds a tagged union takes each of its alternatives, in each combination of the alternative's own
    fields. Other fields of an alternative are taken from the state of ``example`` if it has them, and else made up.
    """
    fields = type(example).model_fields.items()
    choices = {name: _choices(field.annotation, getattr(example, name)) for name, field in fields}
    choices = {name: values for name, values in choices.items() if values}
    return [example.but(**dict(zip(choices, picked, strict=True))) for picked in itertools.product(*choices.values())]


def every_state(
    service: Service, heard: Iterable[Event | Answer], *examples: Entity, refusals: Sequence[str] = ()
) -> int:
    """Check that each event is handled in every state of these entities, and that its repeat changes nothing more.

    A reaction that raises, or ends without a ``return``, has forgotten a case.

    Args:
        service: the service whose reactions are tried.
        heard: the events, and answers of effects.
        examples: entities, each of which is put into each of its possible states.
        refusals: parts of the reasons for which an event may nevertheless be quarantined.

    Returns:
        The number of tried pairs of state and event.
    """
    grid = list(itertools.product(itertools.product(*map(states_of, examples)), tuple(heard)))
    for states, event in grid:
        once = given(service, *states).when(event)
        for reason, explained in zip(once.quarantined, once.explained, strict=True):
            if not any(part in reason for part in refusals):
                raise AssertionError(f"{service.name}, keeping {states!r}, has no answer to {event!r}: {explained}")
        twice = given(service, *states).when(event, event)
        if (once.facts, set(once.quarantined)) != (twice.facts, set(twice.quarantined)):
            raise AssertionError(
                f"{service.name}, keeping {states!r}, is not the same after a repeat of {event!r}: "
                f"once it led to {once.facts!r}, twice to {twice.facts!r}."
            )
    return len(grid)


def every_order(service: Service, heard: Sequence[Event | Answer], *earlier: Entity | Input) -> Iterator[Came]:
    """Return the results of these events for each order in which they can be delivered."""
    for order in itertools.permutations(heard):
        yield given(service, *earlier).when(*order)


def _hear(memory: InMemory, heard: Input) -> Delivered:
    said, number = (heard.heard, heard.number) if isinstance(heard, Another) else (heard, 1)
    return memory.hear(memory.delivery(said, number))


def _deadline(service: Service, name: str) -> Reaction:
    known = {one.name: one for reactions in service.deadlines.values() for one in reactions}
    if name not in known:
        raise TypeError(f"{service.name} has no deadline {name!r}; it has {', '.join(sorted(known)) or 'none'}.")
    return known[name]


def _said(service: Service, events: Iterable[Outgoing]) -> Iterator[Event]:
    models = {event.wire_type: event for event in service.publishes}
    for encoded in dict.fromkeys(event.encoded for event in events):
        told = orjson.loads(encoded)
        if told["type"] != QUARANTINED_TYPE:
            yield models[told["type"]].model_validate_json(orjson.dumps(told["data"]), strict=True)


def _wished(service: Service, intents: Iterable[CommittedIntent]) -> Iterator[Intent]:
    declared = {effect.name: effect.intent for effect in service.effects.values()}
    for committed in dict.fromkeys(intents):
        yield declared[committed.effect].model_validate_json(committed.body)


def _gone(entity: Entity) -> str:
    return f"no {type(entity).__name__} {entity.key!r}"


def _choices(annotation: Any, now: Any) -> tuple[Any, ...]:
    states = alternatives(annotation)
    if states:
        none = (None,) if type(None) in typing.get_args(annotation) else ()
        return none + tuple(one for state in states for one in _every(state, now))
    return _few(annotation)


def _every(state: type[Any], now: Any) -> Iterator[Any]:
    """Yield a state with each combination of its closed fields; its other fields are those of the state ``now``."""
    fields = state.model_fields
    given = {name: getattr(now, name) for name in fields if hasattr(now, name)}
    closed = {name: _few(field.annotation) for name, field in fields.items() if _few(field.annotation)}
    for picked in itertools.product(*closed.values()):
        yield made_up(state, **given | dict(zip(closed, picked, strict=True)))


def _few(annotation: Any) -> tuple[Any, ...]:
    if annotation is bool:
        return (False, True)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(annotation)
    return typing.get_args(annotation) if typing.get_origin(annotation) is Literal else ()


def _difference(missing: Sequence[Value | str], strange: Sequence[Value | str]) -> Iterator[str]:
    """Show the differing fields of near matches, and all of the missing and the unexpected facts."""
    left = list(strange)
    for fact in missing:
        twin = next((one for one in left if type(one) is type(fact) and _about(one) == _about(fact)), None)
        if isinstance(fact, Value) and isinstance(twin, Value):
            left.remove(twin)
            changed = (name for name in type(fact).model_fields if getattr(fact, name) != getattr(twin, name))
            fields = [f"{name} is {getattr(twin, name)!r}, not {getattr(fact, name)!r}" for name in changed]
            yield from _lines("differs", [f"{type(fact).__name__} {_about(fact)!r}: {'; '.join(fields)}"])
        else:
            yield from _lines("missing", [fact])
    yield from _lines("not expected", left)


def _about(fact: Value | str) -> str:
    if isinstance(fact, Entity):
        return fact.key
    return fact.subject if isinstance(fact, Event) else ""


def _lines(word: str, facts: Iterable[object]) -> Iterator[str]:
    for fact in facts:
        yield f"      {word}: {fact if isinstance(fact, str) else repr(fact)}"
