"""A pure replay of what a store says happened, to compare with what the store holds.

It shares the reactions with the engine and nothing else: outcomes say which version of which entity each event wrote,
the broker (or the outcome itself) says what the event was, and the reactions are called again in that order.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from choreography import Deadline, Entity, Event, Service, Value
from choreography.declaration import Reaction

Key = tuple[str, str]


@dataclass
class Replayed:
    """One entity while it is replayed."""

    entity: Entity | None = None
    version: int = 0
    slots: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    fired: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Step:
    """One event and the versions it wrote."""

    event_id: str
    event: dict[str, Any]
    writes: dict[Key, int]
    reads: dict[Key, int]

    def fits(self, versions: Mapping[Key, int]) -> bool:
        """Tell whether everything it wrote and decided by is at the version it was at."""
        return all(versions.get(key, 0) == version - 1 for key, version in self.writes.items()) and all(
            versions.get(key, 0) == version for key, version in self.reads.items()
        )


def replay(service: Service, records: Mapping[str, str], broker: Mapping[str, dict[str, Any]]) -> list[str]:
    """Replay one service's store and return a sentence for everything that differs.

    Args:
        service: the declaration.
        records: the store's texts by key, without the app's prefix.
        broker: every event on the broker by id.
    """
    entities = {key: orjson.loads(text) for key, text in records.items() if _kind(key) in _kinds(service)}
    outcomes = [raw for record in entities.values() for raw in record.get("o", {}).values()]
    outcomes += [orjson.loads(text) for key, text in records.items() if _kind(key) == "outcome"]
    steps: list[Step] = []
    wrong: list[str] = []
    for outcome in outcomes:
        event_id, written, heard = outcome[0], outcome[6], outcome[8]
        if not written:
            continue
        event = orjson.loads(heard) if heard else broker.get(event_id)
        if event is None:
            wrong.append(f"{service.name}: the event {event_id} wrote {written} but is nowhere to be found")
            continue
        writes = {(kind, one): version for kind, one, version, changed in written if changed}
        reads = {(kind, one): version for kind, one, version, changed in written if not changed}
        steps.append(Step(event_id, event, writes, reads))
    state: dict[Key, Replayed] = {}
    for step in _in_order(steps, wrong, service.name):
        _run(service, step, state)
    held = {(_kind(key), _id_of(service, key, record)): record for key, record in entities.items() if record["s"]}
    for key, record in held.items():
        replayed = state.get(key, Replayed())
        shown = replayed.entity.model_dump(mode="json") if replayed.entity else None
        if shown != record["s"] or replayed.version != record["v"]:
            is_held, is_replayed = f"{record['s']} v{record['v']}", f"{shown} v{replayed.version}"
            wrong.append(f"{service.name}: {key} is {is_held}, the replay says {is_replayed}")
    return wrong


def _in_order(steps: Iterable[Step], wrong: list[str], service: str) -> Iterable[Step]:
    """Order the steps so that every entity's versions ascend without a gap or a fork."""
    by_write: dict[tuple[Key, int], Step] = {}
    for step in steps:
        for write in step.writes.items():
            if write in by_write:
                wrong.append(f"{service}: both {by_write[write].event_id} and {step.event_id} wrote {write}")
            by_write[write] = step
    done: set[int] = set()
    versions: dict[Key, int] = {}
    waiting = list({id(step): step for step in by_write.values()}.values())
    while waiting:
        # Whoever decided by a version must come before whoever replaced it.
        held = {pair for one in waiting for pair in one.reads.items()}
        ready = [one for one in waiting if one.fits(versions)]
        free = [
            one
            for one in ready
            if not any((key, version - 1) in held - set(one.reads.items()) for key, version in one.writes.items())
        ]
        if not free:
            wrong.append(f"{service}: {len(waiting)} steps have a gap before them, such as {waiting[0].writes}")
            return
        for step in free:
            if step.fits(versions):
                versions.update(step.writes)
                done.add(id(step))
                yield step
        waiting = [one for one in waiting if id(one) not in done]


def _run(service: Service, step: Step, state: dict[Key, Replayed]) -> None:
    subject = service.subjects[step.event["type"]]
    for reaction in subject.reactions:
        heard = _heard(reaction, step)
        if reaction.style in ("join", "undo"):
            _join(reaction, step, heard, state)
        else:
            _call(reaction, step, dict.fromkeys(reaction.event_parameters, heard), state)
    for key, version in step.writes.items():
        state.setdefault(key, Replayed()).version = version


def _heard(reaction: Reaction, step: Step) -> Value:
    if reaction.style == "deadline":
        return Deadline(name=reaction.name, due=step.event["time"])
    model = next(one for one in reaction.hears if one.wire_type == step.event["type"])
    return model.model_validate(step.event["data"])


def _join(reaction: Reaction, step: Step, heard: Value, state: dict[Key, Replayed]) -> None:
    logical_id = reaction.joined.ids(heard)[0]
    one = state.setdefault((reaction.joined.entity.kind, logical_id), Replayed())
    slots = one.slots.setdefault(reaction.name, {})
    if reaction.style == "undo":
        model = typing.cast("type[Event]", reaction.hears[0])
        if reaction.name not in one.fired and model.undoes is not None:
            slots.pop(model.undoes.wire_type, None)
        return
    slots.setdefault(step.event["type"], step.event["data"])
    if reaction.name not in one.fired and all(model.wire_type in slots for model in reaction.hears):
        one.fired.add(reaction.name)
        shown = {
            name: model.model_validate(slots[getattr(model, "wire_type", "")])
            for name, model in reaction.event_parameters.items()
        }
        _call(reaction, step, shown, state)


def _call(reaction: Reaction, step: Step, shown: Mapping[str, Value], state: dict[Key, Replayed]) -> None:
    arguments: dict[str, Any] = dict(shown)
    for named in reaction.named:
        source = step.event["data"]
        if reaction.style == "deadline":
            ids: tuple[str, ...] = (source[named.entity.key_field],)
        else:
            ids = named.ids(_heard(reaction, step))
        entities = {one: _entity(named.entity, one, state, optional=named.optional) for one in ids}
        arguments[named.parameter] = entities if named.many else next(iter(entities.values()))
    answer = reaction.function(**arguments)
    for part in answer if isinstance(answer, tuple) else (answer,):
        if isinstance(part, Entity):
            state.setdefault((part.kind, part.key), Replayed()).entity = part


def _entity(kind: type[Entity], logical_id: str, state: dict[Key, Replayed], *, optional: bool) -> Entity | None:
    held = state.setdefault((kind.kind, logical_id), Replayed()).entity
    return held if held is not None or optional else kind(**{kind.key_field: logical_id})


def _kind(key: str) -> str:
    return key.split(".")[1]


def _kinds(service: Service) -> set[str]:
    return {entity.kind for entity in service.entities}


def _id_of(service: Service, key: str, record: dict[str, Any]) -> str:
    entity = next(one for one in service.entities if one.kind == _kind(key))
    return str(record["s"][entity.key_field])
