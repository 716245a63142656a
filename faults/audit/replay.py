"""A pure replay of the outcomes in a store, for a comparison with the store's state.

Outcomes say which version of which entity each event wrote or read for its decision; the broker, or the outcome itself,
has the event. The replay calls the declared reactions in that order. They must lead to the same states and publish the
same events.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from choreography import Deadline, Entity, Event, Intent, Service, Value
from choreography.declaration import Reaction
from faults.audit.evidence import Message, OutcomeRecord, Store

Key = tuple[str, str]

TERMINAL: Final[Mapping[str, frozenset[str]]] = {
    "order": frozenset({"completed", "cancelled"}),
    "shipment": frozenset({"dispatched", "withheld"}),
    "payment": frozenset({"declined", "refunded", "cancelled"}),
    "reservation": frozenset({"rejected", "released", "cancelled"}),
}


@dataclass
class Slots:
    """One join while it is replayed."""

    filled: dict[str, dict[str, Any]] = field(default_factory=dict)
    undone: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    fired: bool = False


@dataclass
class Replayed:
    """One entity while it is replayed."""

    entity: Entity | None = None
    version: int = 0
    slots: dict[str, Slots] = field(default_factory=lambda: defaultdict(Slots))


@dataclass
class Step:
    """One event, the versions that it wrote and read, and its recorded consequences."""

    outcome: OutcomeRecord
    event: dict[str, Any]
    writes: dict[Key, int]
    reads: dict[Key, int]
    after: int = 0
    before: list[Step] = field(default_factory=list)


@dataclass
class Report:
    """The differences."""

    steps: int = 0
    differs: list[str] = field(default_factory=list)
    forks: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Terminal states that were left."""


def replay(messages: Mapping[str, Sequence[Message]], store: Store) -> Report:
    """Replay one service's store.

    Args:
        messages: every event on the broker by its identity, in the order in which the broker took them.
        store: the content of the service's store.
    """
    report = Report()
    replaying = _Replaying(store.service, report)
    for step in _in_order(_steps(messages, store, report), report, store.service.name):
        report.steps += 1
        replaying.run(step)
    held = {(one.kind, _id_of(store.service, one.kind, one.state)): one for one in store.records if one.state}
    for key in held.keys() | replaying.state.keys():
        record, replayed = held.get(key), replaying.state.get(key, Replayed())
        shown = replayed.entity.model_dump(mode="json") if replayed.entity else None
        is_held = (record.state, record.version) if record else (None, replayed.version)
        if is_held != (shown, replayed.version):
            report.differs.append(
                f"{store.service.name}: {key} is {is_held}, the replay says {(shown, replayed.version)}"
            )
    return report


def _steps(messages: Mapping[str, Sequence[Message]], store: Store, report: Report) -> Iterable[Step]:
    for outcome in store.outcomes:
        if not outcome.written:
            continue
        told = messages.get(outcome.event_id)
        event = orjson.loads(outcome.heard) if outcome.heard else (told[0].event if told else None)
        if event is None:
            report.differs.append(
                f"{store.service.name}: the event {outcome.event_id} was run but is nowhere to be found"
            )
            continue
        writes = {(kind, one): version for kind, one, version, changed in outcome.written if changed}
        reads = {(kind, one): version for kind, one, version, changed in outcome.written if not changed}
        yield Step(outcome, event, writes, reads)


def _in_order(steps: Iterable[Step], report: Report, service: str) -> Iterable[Step]:
    """Order the steps by the versions they wrote; a reader of a version comes before the step that replaced it."""
    steps = list(steps)
    _tie(steps, report, service)
    ready = deque(step for step in steps if not step.after)
    done = 0
    while ready:
        step = ready.popleft()
        done += 1
        yield step
        for later in step.before:
            later.after -= 1
            if not later.after:
                ready.append(later)
    if done < len(steps):
        report.forks.append(f"{service}: {len(steps) - done} steps rest on each other, so no order explains them")


def _tie(steps: Sequence[Step], report: Report, service: str) -> None:
    """Record for every step which steps come before it."""
    writers: dict[tuple[Key, int], Step] = {}
    readers: dict[tuple[Key, int], list[Step]] = defaultdict(list)
    for step in steps:
        for write in step.writes.items():
            if write in writers:
                first, second = writers[write].outcome.event_id, step.outcome.event_id
                report.forks.append(f"{service}: both {first} and {second} wrote {write}")
            writers[write] = step
        for read in step.reads.items():
            readers[read].append(step)
    for step in steps:
        rests_on = [(key, version - 1) for key, version in step.writes.items()]
        for need in (*rests_on, *step.reads.items()):
            if need[1] > 0 and need not in writers:
                report.forks.append(f"{service}: nobody wrote {need}, on which {step.outcome.event_id} rests")
            _after(step, writers.get(need))
        for reader in (reader for need in rests_on for reader in readers.get(need, ())):
            _after(step, reader)


def _after(step: Step, earlier: Step | None) -> None:
    if earlier is not None and earlier is not step:
        step.after += 1
        earlier.before.append(step)


class _Replaying:
    """The state of one service while its steps are run again."""

    def __init__(self, service: Service, report: Report) -> None:
        self._service, self._report = service, report
        self.state: dict[Key, Replayed] = defaultdict(Replayed)
        self._said: list[Any] = []

    def run(self, step: Step) -> None:
        self._said = []
        subject = self._service.subjects.get(step.event["type"])
        for reaction in subject.reactions if subject else ():
            heard = _heard(reaction, step)
            if reaction.style in ("join", "undo"):
                self._join(reaction, step, heard)
            else:
                self._call(reaction, step, heard, dict.fromkeys(reaction.event_parameters, heard))
        for key, version in step.writes.items():
            self.state[key].version = version
        self._compare(step)

    def _compare(self, step: Step) -> None:
        said = [[one.wire_type, one.model_dump(mode="json")] for one in self._said if isinstance(one, Event)]
        wished = [one.model_dump(mode="json") for one in self._said if isinstance(one, Intent)]
        told = [orjson.loads(text) for _, _, text in step.outcome.events]
        if [[one["type"], one["data"]] for one in told] != said:
            self._report.differs.append(
                f"{self._service.name}: {step.outcome.event_id} recorded {told}, said is {said}"
            )
        if [orjson.loads(wish[2]) for wish in step.outcome.wishes] != wished:
            self._report.differs.append(
                f"{self._service.name}: {step.outcome.event_id} recorded other intents than {wished}"
            )

    def _join(self, reaction: Reaction, step: Step, heard: Value) -> None:
        slots = self.state[reaction.joined.entity.kind, reaction.joined.ids(heard)[0]].slots[reaction.name]
        wire_type = step.event["type"]
        if reaction.style == "undo":
            undone = getattr(reaction.hears[0], "undoes", None)
            if undone is not None and not slots.fired and slots.filled.pop(undone.wire_type, None) is None:
                slots.undone[undone.wire_type] += 1
            return
        if wire_type in slots.filled:
            return
        if slots.undone[wire_type]:
            slots.undone[wire_type] -= 1
            return
        slots.filled[wire_type] = step.event["data"]
        if not slots.fired and all(model.wire_type in slots.filled for model in reaction.hears):
            slots.fired = True
            shown = {
                name: model.model_validate(slots.filled[getattr(model, "wire_type", "")])
                for name, model in reaction.event_parameters.items()
            }
            self._call(reaction, step, heard, shown)

    def _call(self, reaction: Reaction, step: Step, heard: Value, shown: Mapping[str, Value]) -> None:
        arguments: dict[str, Any] = dict(shown)
        for named in reaction.named:
            if reaction.style == "deadline":
                ids: tuple[str, ...] = (step.event["data"][named.entity.key_field],)
            else:
                ids = named.ids(heard)
            entities = {one: self._entity(named.entity, one, optional=named.optional) for one in ids}
            arguments[named.parameter] = entities if named.many else next(iter(entities.values()))
        answer = reaction.function(**arguments)
        for part in answer if isinstance(answer, tuple) else (answer,):
            if isinstance(part, Entity):
                self._change(part)
            else:
                self._said.append(part)

    def _change(self, after: Entity) -> None:
        held = self.state[after.kind, after.key]
        before, terminal = getattr(held.entity, "status", None), TERMINAL.get(after.kind, frozenset())
        if before in terminal and getattr(after, "status", None) != before:
            self._report.left.append(
                f"{after.kind} {after.key} was {before} and became {getattr(after, 'status', None)}"
            )
        held.entity = after

    def _entity(self, kind: type[Entity], logical_id: str, *, optional: bool) -> Entity | None:
        held = self.state[kind.kind, logical_id].entity
        return held if held is not None or optional else kind(**{kind.key_field: logical_id})


def _heard(reaction: Reaction, step: Step) -> Value:
    if reaction.style == "deadline":
        return Deadline(name=reaction.name, due=step.event["time"])
    model = next(one for one in reaction.hears if one.wire_type == step.event["type"])
    return model.model_validate(step.event["data"])


def _id_of(service: Service, kind: str, state: dict[str, Any]) -> str:
    entity = next(one for one in service.entities if one.kind == kind)
    return str(state[entity.key_field])
