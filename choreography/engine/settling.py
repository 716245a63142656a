"""Settling a batch of deliveries: read, react, commit in one transaction, and believe only what the store says.

One attempt reads everything the batch names, runs the reactions in order, and commits. After any answer but a yes
the attempt is forgotten and the next one reads again: whatever the first did write is then found as an outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from choreography.engine.delivery import Delivery, shortened
from choreography.engine.identity import outcome_key
from choreography.engine.memory import Published
from choreography.engine.operations import (
    Answer,
    Commit,
    Committed,
    Confirm,
    Conflict,
    Limits,
    Operation,
    Pause,
    Read,
    Refused,
    Stored,
    Unknown,
    Values,
    Write,
)
from choreography.engine.plan import Plan, Planner
from choreography.engine.quarantine import conflict_identity, quarantine_outcome
from choreography.engine.reacting import Ran, Reacting
from choreography.engine.records import Outcome, Quarantined, decode_outcome, encode_outcome
from choreography.engine.suspects import Suspects, UnmarkedError
from choreography.engine.working_set import WorkingSet
from choreography.service import Service

Settling = Generator[Operation, Answer, "list[Settled]"]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one delivery. ``outcome`` is None if there was nothing to do, or if it must be delivered again."""

    delivery: Delivery
    outcome: Outcome | None = None
    repeated: bool = False
    again: bool = False


@dataclass(slots=True)
class _Failed(Exception):
    """This attempt cannot go on; the next one reads again."""

    detail: str


class Settler:
    """Settles batches for one service. Holds no state but what it has itself published."""

    def __init__(
        self,
        service: Service,
        limits: Limits,
        published: Published,
        guard: Callable[[float], AbstractContextManager[None]] = lambda _: nullcontext(),
        replica: str = "one",
    ) -> None:
        self.service, self.limits, self.published = service, limits, published
        self.planner = Planner(service, limits)
        self.suspects = Suspects(service.name, replica, limits, guard)

    def settle(self, deliveries: Sequence[Delivery], now: datetime) -> Settling:
        """Settle a batch.

        Args:
            deliveries: in the order in which they are to be seen.
            now: the time that what is said will carry.

        Returns:
            What became of each, in the same order.
        """
        settled: dict[int, Settled] = {}
        plans: list[Plan] = []
        for position, delivery in enumerate(deliveries):
            plan = self.planner.plan(delivery, now, position)
            envelope = delivery.envelope
            if plan is None or (
                delivery.purpose == "run" and envelope and self.published.holds(envelope.id, envelope.digest)
            ):
                settled[position] = Settled(delivery)
            else:
                plans.append(plan)
        if plans:
            settled |= yield from self._group(plans, now)
        return [settled[position] for position in range(len(deliveries))]

    def _group(self, plans: list[Plan], now: datetime) -> Generator[Operation, Answer, dict[int, Settled]]:
        for attempt in range(1, self.limits.attempts + 1):
            try:
                if self.suspects.on_probation:
                    alone = yield from self.suspects.mark(plans)
                    if alone:
                        return (yield from self._apart([[one] for one in alone], plans, now))
                working = yield from self._read(plans)
                settled = yield from self._attempt(plans, working, now, thorough=attempt > 1 and len(plans) == 1)
            except (_Failed, UnmarkedError):
                yield Pause(attempt)
                continue
            writes = working.writes(self._ttl)
            too_big = (
                len(writes) > self.limits.commit_writes
                or sum(write.size for write in writes) > self.limits.commit_bytes
            )
            if too_big and len(plans) > 1:
                return (yield from self._halves(plans, now))
            answer = (yield Commit(writes)) if writes else Committed()
            match answer:
                case Committed():
                    for plan in plans:
                        self.suspects.survived(plan)
                    return settled
                case Refused(detail) if len(plans) == 1:
                    plans = [self._refused(plans[0], detail)]
                case Refused():
                    return (yield from self._halves(plans, now))
                case Conflict() | Unknown():
                    if attempt > 1 and len(plans) > 1:
                        return (yield from self._halves(plans, now))
                    yield Pause(attempt)
                case _:
                    raise TypeError(f"The driver answered a commit with {answer!r}.")
        return {plan.position: Settled(plan.delivery, again=True) for plan in plans}

    @property
    def _ttl(self) -> int:
        return self.limits.horizon_seconds + 2 * self.limits.skew_seconds

    def _halves(self, plans: list[Plan], now: datetime) -> Generator[Operation, Answer, dict[int, Settled]]:
        middle = len(plans) // 2
        first = yield from self._group(plans[:middle], now)
        second = yield from self._group(plans[middle:], now)
        return first | second

    def _apart(
        self, alone: list[list[Plan]], plans: list[Plan], now: datetime
    ) -> Generator[Operation, Answer, dict[int, Settled]]:
        suspects = {plan.position for group in alone for plan in group}
        rest = [plan for plan in plans if plan.position not in suspects]
        settled: dict[int, Settled] = {}
        for group in ([rest] if rest else []) + alone:
            settled |= yield from self._group(group, now)
        return settled

    def _refused(self, plan: Plan, detail: str) -> Plan:
        # Refused even as a quarantine record, it is too much for the store: then only its beginning is kept.
        plan = replace(plan, delivery=shortened(plan.delivery)) if plan.problem else plan
        return self.planner.set_aside(plan, f"The store refuses what this event leads to: {detail}")

    def _read(self, plans: Sequence[Plan]) -> Generator[Operation, Answer, WorkingSet]:
        entity_keys = {key for plan in plans for key in plan.entity_keys}
        keys = entity_keys | {plan.outcome_key for plan in plans if not plan.folds}
        answer = yield Read(tuple(sorted(keys)))
        if not isinstance(answer, Values) or answer.failed:
            raise _Failed("the read failed")
        return WorkingSet.of(answer.found, entity_keys)

    def _attempt(
        self, plans: Sequence[Plan], working: WorkingSet, now: datetime, *, thorough: bool
    ) -> Generator[Operation, Answer, dict[int, Settled]]:
        settled: dict[int, Settled] = {}
        decided: dict[str, Outcome] = {}
        for plan in plans:
            known = decided.get(plan.identity) or (yield from self._known(plan, working, thorough=thorough))
            if known is None and plan.delivery.purpose == "nudge":
                settled[plan.position] = Settled(plan.delivery)
                continue
            outcome, repeated = yield from self._decide(plan, known, working, now)
            # Under the outcome's own id: a contradicting twin must not pass for the event whose id it took.
            decided[outcome.event_id] = outcome
            settled[plan.position] = Settled(plan.delivery, outcome, repeated)
        return settled

    def _known(
        self, plan: Plan, working: WorkingSet, *, thorough: bool
    ) -> Generator[Operation, Answer, Outcome | None]:
        """Find the outcome of an event in the two places where it may be, whichever this release would choose."""
        for key in plan.entity_keys:
            record = working.records.get(key)
            folded = record.outcome_of(plan.event_key) if record else None
            if folded is not None:
                return folded
        if not plan.folds:
            stored = working.apart.get(plan.outcome_key)
        elif thorough or plan.delivery.purpose == "replay" or self.planner.apart(working.records, plan):
            stored = yield from self._confirm(plan.outcome_key, working)
        else:
            # The record itself proves the absence: it is written under its ETag, or first-write.
            return None
        return decode_outcome(stored.value) if stored else None

    def _confirm(self, key: str, working: WorkingSet) -> Generator[Operation, Answer, Stored | None]:
        answer = yield Confirm(key)
        if answer is None:
            return None
        if not isinstance(answer, Stored):
            raise _Failed("the confirming read failed")
        working.apart[key] = answer
        working.etags[key] = answer.etag
        return answer

    def _decide(
        self, plan: Plan, known: Outcome | None, working: WorkingSet, now: datetime
    ) -> Generator[Operation, Answer, tuple[Outcome, bool]]:
        if known is not None:
            if known.digest != plan.digest:
                return (yield from self._conflict(plan, known, working, now))
            if not (plan.delivery.purpose == "replay" and known.quarantined and not plan.problem):
                return known, True
        elif plan.delivery.purpose == "replay":
            plan = self.planner.as_if_new(plan, now)
        if plan.problem:
            return self._set_aside(plan, working, now, Quarantined(plan.problem, 0, "", plan.delivery.raw)), False
        ran = self.suspects.run(plan, lambda: self._react(plan, working, now))
        if not plan.folds and (isinstance(ran, Quarantined) or ran.silent):
            # What it named is not in the transaction, so nothing there proves that what was missing is missing.
            for key in plan.entity_keys:
                if key not in working.records and (yield from self._confirm(key, working)) is not None:
                    raise _Failed("an entity that the bulk get did not show exists")
        if isinstance(ran, Quarantined):
            return self._set_aside(plan, working, now, ran), False
        return self._keep(plan, ran, working, now), False

    def _react(self, plan: Plan, working: WorkingSet, now: datetime) -> Ran:
        if plan.subject is None:
            raise TypeError("An event without reactions cannot be run.")
        return Reacting(self.service, plan.subject, plan.delivery, working.records, now).run()

    def _keep(self, plan: Plan, ran: Ran, working: WorkingSet, now: datetime) -> Outcome:
        outcome = Outcome(
            event_id=plan.identity,
            digest=plan.digest,
            at=now,
            events=tuple(ran.events),
            dues=tuple(ran.dues),
            wishes=tuple(ran.wishes),
            written=tuple(ran.written),
            own=plan.own,
            heard=plan.delivery.raw if plan.inside else "",
        )
        working.accept(ran.records, () if ran.silent and not plan.folds else plan.entity_keys)
        replayed = working.apart.get(plan.outcome_key) if plan.delivery.purpose == "replay" else None
        if not (plan.folds and replayed is None and self._fold(plan, outcome, working, now)):
            self._put_apart(plan, outcome, working)
        return outcome

    def _fold(self, plan: Plan, outcome: Outcome, working: WorkingSet, now: datetime) -> bool:
        key = plan.entity_keys[0]
        record = self.planner.record(working.records, key).copy()
        folded = record.fold(plan.event_key, outcome, now - timedelta(seconds=self._ttl))
        if folded:
            working.records[key] = record
        return folded

    def _put_apart(self, plan: Plan, outcome: Outcome, working: WorkingSet) -> None:
        key = plan.outcome_key
        ttl = None if outcome.quarantined else self._ttl
        working.put(Write(key, encode_outcome(outcome), working.etags.get(key), ttl))
        for entity_key in plan.entity_keys:
            record = self.planner.record(working.records, entity_key)
            if not record.apart and (plan.folds or entity_key in working.guarded):
                working.records[entity_key] = replace(record.copy(), apart=True)
                working.guarded.add(entity_key)

    def _set_aside(self, plan: Plan, working: WorkingSet, now: datetime, bad: Quarantined) -> Outcome:
        stored = working.apart.get(plan.outcome_key)
        earlier = decode_outcome(stored.value).quarantined if stored else None
        if earlier is not None:
            bad = replace(bad, attempts=earlier.attempts + max(1, bad.attempts))
        outcome = quarantine_outcome(self.service.name, plan, bad, now)
        self._put_apart(plan, outcome, working)
        return outcome

    def _conflict(
        self, plan: Plan, known: Outcome, working: WorkingSet, now: datetime
    ) -> Generator[Operation, Answer, tuple[Outcome, bool]]:
        """The same id says something else: never a repeat, never run."""
        identity = conflict_identity(plan)
        twin = replace(plan, identity=identity, outcome_key=outcome_key(self.service.name, identity), entity_keys=())
        recorded = yield from self._confirm(twin.outcome_key, working)
        if recorded is not None:
            return decode_outcome(recorded.value), True
        reason = f"Another event with the id {plan.identity!r} said something else and was settled at {known.at:%Y-%m-%d %H:%M:%S}."
        return self._set_aside(twin, working, now, Quarantined(reason, 0, "", plan.delivery.raw)), False
