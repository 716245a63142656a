"""After the commit: publish the events of the outcomes, schedule their deadlines, carry out their intents.

Only then may a delivery be acknowledged. Until then the unacknowledged delivery is the outbox: a redelivery finds the
outcome and comes straight here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from choreography.engine.deciding import Settled
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.envelope import nudged
from choreography.engine.memory import Published
from choreography.engine.operations import CarryOut, Limits, Publish, Schedule, Together
from choreography.engine.records import CommittedIntent, Outcome, Outgoing, ScheduledDeadline

ReleaseAnswer = Sequence[frozenset[int] | bool]


@dataclass(slots=True)
class _Part:
    """One operation, and the settled delivery to which each of its items belongs."""

    operation: Publish | Schedule | CarryOut
    owners: list[int]


def release(
    settled: Sequence[Settled], limits: Limits, published: Published
) -> Generator[Together, ReleaseAnswer, list[bool]]:
    """Release a settled batch.

    Returns:
        For each delivery whether it is done. A delivery that is not done must be answered RETRY.
    """
    owners = _first_of_each(settled)
    parts = [
        *_publishing(settled, owners, limits),
        *_scheduling(settled, owners),
        *_carrying_out(settled, owners),
    ]
    undone = {index for index, one in enumerate(settled) if one.again}
    if parts:
        answers = yield Together(tuple(part.operation for part in parts))
        for part, answer in zip(parts, answers, strict=True):
            if isinstance(answer, bool):
                undone |= set() if answer else set(part.owners)
            else:
                undone |= {part.owners[item] for item in answer}
    by_event = {one.outcome.event_id for index, one in enumerate(settled) if index in undone and one.outcome}
    done = [
        index not in undone and not (one.outcome and one.outcome.event_id in by_event)
        for index, one in enumerate(settled)
    ]
    for index in owners:
        outcome, delivery = settled[index].outcome, settled[index].delivery
        if done[index] and outcome and delivery.purpose == "run":
            published.add(outcome.event_id, outcome.digest)
    return done


def nudged_deadlines(settled: Iterable[Settled], now: datetime) -> list[Delivery]:
    """Return the fired deadlines of nudged events, each as a nudge itself: only that finds their outcomes."""
    return [
        read_delivery(due.encoded.encode())._replace(purpose="nudge", nudge=one.delivery.nudge, inside=True)
        for one in settled
        if one.outcome and one.delivery.purpose == "nudge"
        for due in one.outcome.deadlines
        if due.at <= now
    ]


def _first_of_each(settled: Sequence[Settled]) -> list[int]:
    """Return one delivery per outcome: the same event twice in a batch is released once."""
    first: dict[tuple[str, str], int] = {}
    for index, one in enumerate(settled):
        if one.outcome is not None:
            first.setdefault((one.outcome.event_id, one.delivery.nudge), index)
    return list(first.values())


def _publishing(settled: Sequence[Settled], owners: Iterable[int], limits: Limits) -> list[_Part]:
    topics: dict[str, list[tuple[int, Outgoing]]] = {}
    for index in owners:
        for event in _events(settled[index]):
            topics.setdefault(event.topic, []).append((index, event))
    parts: list[_Part] = []
    for events in topics.values():
        start, size = 0, 0
        for position, (_, event) in enumerate(events):
            if position > start and (
                size + event.size > limits.publish_bytes or position - start >= limits.publish_count
            ):
                parts.append(_publish(events[start:position]))
                start, size = position, 0
            size += event.size
        parts.append(_publish(events[start:]))
    return parts


def _publish(events: Sequence[tuple[int, Outgoing]]) -> _Part:
    return _Part(Publish(tuple(event for _, event in events)), [index for index, _ in events])


def _events(one: Settled) -> Iterable[Outgoing]:
    outcome: Outcome | None = one.outcome
    if outcome is None:
        return ()
    if one.delivery.purpose != "nudge":
        return outcome.events
    own = (outcome.own,) if outcome.own else ()
    return (event._replace(encoded=nudged(event.encoded, one.delivery.nudge)) for event in (*own, *outcome.events))


def _scheduling(settled: Sequence[Settled], owners: Iterable[int]) -> list[_Part]:
    deadlines: list[tuple[int, ScheduledDeadline]] = []
    for index in owners:
        outcome = settled[index].outcome
        deadlines += [(index, due) for due in outcome.deadlines] if outcome else []
    return [_Part(Schedule(tuple(due for _, due in deadlines)), [index for index, _ in deadlines])] if deadlines else []


def _carrying_out(settled: Sequence[Settled], owners: Iterable[int]) -> list[_Part]:
    asked: dict[tuple[bool, str], list[tuple[int, CommittedIntent]]] = {}
    for index in owners:
        one = settled[index]
        for committed in one.outcome.intents if one.outcome else ():
            asked.setdefault((one.repeated, one.delivery.nudge), []).append((index, committed))
    return [
        _Part(CarryOut(tuple(committed for _, committed in intents), repeated, nudge), [index for index, _ in intents])
        for (repeated, nudge), intents in asked.items()
    ]
