"""From the decisions of reactions to the rows and the calls of hooks that go into the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from choreography.contracts import Answer, Deadline, Entity, Event
from choreography.engine.beside import HookCall, Rows
from choreography.engine.identity import Key
from choreography.engine.kept_entities import shown
from choreography.engine.plan import Plan
from choreography.engine.reacting import Ran
from choreography.engine.records import EntityRecord, Outcome
from choreography.engine.working_set import WorkingSet
from choreography.own_tables import Change, Committing
from choreography.service import Service


def projected(service: Service, plan: Plan, records: Mapping[Key, EntityRecord], ran: Ran) -> Ran:
    """Add the changed entities and their present rows to the decisions of the reactions.

    Raises:
        Exception: any exception of a projection. It fails the event as an exception of a reaction does.
    """
    if service.projections or service.hooks:
        changed = list(_changed(plan, records, ran))
        ran.changes = tuple(change for _, _, change in changed)
        ran.rows = tuple(
            Rows(one, key, tuple(row.model_dump(mode="json") for row in one.rows(change.after)))
            for entity, key, change in changed
            for one in service.projections
            if one.entity is entity
        )
    return ran


def join(service: Service, plan: Plan, ran: Ran, outcome: Outcome, working: WorkingSet) -> None:
    """Add the rows and the calls of one event to the transaction of this attempt."""
    if not (ran.rows or service.hooks):
        return
    working.rows.update(((one.projection.table, one.key), one) for one in ran.rows)
    hooks = [hook for hook in service.hooks if hook.concerns(outcome.type)]
    if hooks:
        committing = _committing(plan, ran, outcome)
        working.calls += [HookCall(hook, committing) for hook in hooks]


def _changed(plan: Plan, records: Mapping[Key, EntityRecord], ran: Ran) -> Iterator[tuple[type[Entity], str, Change]]:
    for key, (entity, logical_id) in zip(plan.entity_keys, plan.named, strict=True):
        if key in ran.records:
            before, after = (one.state if one else None for one in (records.get(key), ran.records[key]))
            if before != after:
                yield entity, logical_id, Change(*(_decoded(entity, logical_id, state) for state in (before, after)))


def _decoded(entity: type[Entity], logical_id: str, state: Mapping[str, Any] | None) -> Entity | None:
    return None if state is None else shown(entity, logical_id, state)[0]


def _committing(plan: Plan, ran: Ran, outcome: Outcome) -> Committing:
    return Committing(
        event_id=outcome.event_id,
        type=outcome.type,
        flow_id=outcome.flow_id,
        at=outcome.at,
        heard=_heard(plan),
        changes=ran.changes,
        says=tuple(ran.said),
        asks=tuple(ran.asked),
    )


def _heard(plan: Plan) -> Event | Answer | Deadline:
    """Return the data of the event; of a fired deadline, its name and its time."""
    if isinstance(plan.heard, (Event, Answer)):
        return plan.heard
    if plan.subject is None or plan.delivery.envelope is None:
        raise TypeError("An event without reactions has nothing to commit.")
    return Deadline(name=plan.subject.reactions[0].name, due=plan.delivery.envelope.time)
