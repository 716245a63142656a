"""Settling a batch of deliveries: read, react, commit in one transaction, and believe only a confirmed commit.

One attempt reads everything the batch names, runs the reactions in order, and commits. After any answer except
Committed the attempt is forgotten and the next one reads again: if the first did write, its outcomes are then found.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

from choreography.engine.control import nothing_to_run, recorded
from choreography.engine.deciding import AttemptFailedError, Decider, Settled
from choreography.engine.delivery import Delivery, shortened
from choreography.engine.identity import Key
from choreography.engine.memory import Beginning, Newcomers, Published
from choreography.engine.operations import (
    Commit,
    CommitResult,
    Committed,
    Conflict,
    Failed,
    Limits,
    Operation,
    OperationResult,
    Pause,
    Read,
    Refused,
    Unknown,
    Values,
    Write,
)
from choreography.engine.plan import Plan, Planner
from choreography.engine.retrying import Retrying, TimeLimit
from choreography.engine.suspects import Suspects, UnmarkedError
from choreography.engine.working_set import WorkingSet
from choreography.service import Service

Settling = Generator[Operation, OperationResult, "list[Settled]"]


@dataclass(frozen=True, slots=True)
class _Isolated:
    """Some of the batch are suspects: they must be run alone."""

    alone: list[Plan]


class Settler:
    """Settles batches for one service. Its only state is its memory of the events that it has published."""

    def __init__(
        self,
        service: Service,
        limits: Limits,
        published: Published,
        time_limit: TimeLimit = lambda _: nullcontext(),
        replica: str = "one",
        *,
        newcomers: Newcomers | None = None,
    ) -> None:
        self.service, self.limits, self.published = service, limits, published
        self.newcomers = newcomers
        self.planner = Planner(service, limits)
        self.suspects = Suspects(service.name, replica)
        self.decider = Decider(service, limits, Retrying(limits, self.suspects, time_limit), replica)

    def settle(self, deliveries: Sequence[Delivery], now: datetime) -> Settling:
        """Settle a batch.

        Args:
            deliveries: the deliveries in the order in which they are to be decided.
            now: the time of the resulting events.

        Returns:
            The result for each delivery, in the same order.
        """
        settled: dict[int, Settled] = {}
        plans: list[Plan] = []
        for position, delivery in enumerate(deliveries):
            found = (yield from recorded(self.service.name, delivery)) if delivery.purpose == "replay" else delivery
            plan = found if isinstance(found, Settled) else self._planned(found, now, position)
            if isinstance(plan, Settled):
                settled[position] = plan
            else:
                plans.append(plan)
        if plans:
            settled |= yield from self._group(plans, now, self.limits.attempts)
        return [settled[position] for position in range(len(deliveries))]

    def _planned(self, delivery: Delivery, now: datetime, position: int) -> Plan | Settled:
        plan = self.planner.plan(delivery, now, position)
        if plan is None and delivery.purpose == "replay":
            reason = f"its record holds a {delivery.type}, to which {self.service.name} does not react"
            plan = self.planner.plan(nothing_to_run(delivery, reason), now, position)
        if plan is None:
            return Settled(delivery)
        run, identity = delivery.purpose == "run", delivery.identity
        if run and plan.identity == identity and self.published.holds(identity, plan.digest):
            return Settled(delivery, repeated=True)
        return plan

    def _group(
        self, plans: list[Plan], now: datetime, attempts: int
    ) -> Generator[Operation, OperationResult, dict[int, Settled]]:
        for attempt in range(1, attempts + 1):
            expected = self._expected(plans) if attempt == 1 < attempts else {}
            settled, answer = yield from self._once(
                plans, now, expected.keys(), thorough=attempt > 1 and len(plans) == 1
            )
            if self.newcomers and not isinstance(answer, Committed):
                self.newcomers.doubt(expected.values())
            match answer:
                case Committed():
                    return settled
                case _Isolated(alone):
                    return (yield from self._one_by_one(alone, plans, now))
                case Refused() if expected:
                    # Perhaps the store refused the guess and not the event: some stores report a conflict in their own
                    # way.
                    yield Pause(attempt)
                case Refused() | Failed() if len(plans) == 1:
                    plans = [self._refused(plans[0], answer)]
                case Refused() | Failed():
                    return (yield from self._halves(plans, now, attempts))
                case Conflict() if attempt > 1 and len(plans) > 1:
                    return (yield from self._halves(plans, now, attempts))
                case Unknown(answered=True) if attempt == attempts and len(plans) > 1:
                    # The store answers but never confirms, perhaps because of only one event. Each half is tried once.
                    return (yield from self._halves(plans, now, 1))
                case _:
                    yield Pause(attempt)
        return {plan.position: Settled(plan.delivery, again=True) for plan in plans}

    def _once(
        self, plans: list[Plan], now: datetime, expected: AbstractSet[Key], *, thorough: bool
    ) -> Generator[Operation, OperationResult, tuple[dict[int, Settled], CommitResult | _Isolated]]:
        """Read, react and commit once. The settled results count only if the answer is Committed.

        Records that are ``expected`` to begin now are not read.
        """
        try:
            alone = yield from self.suspects.mark(plans)
            if alone:
                return {}, _Isolated(alone)
            working = yield from self._read(plans, expected)
            settled = yield from self.decider.attempt(plans, working, now, thorough=thorough)
        except (AttemptFailedError, UnmarkedError) as error:
            return {}, Unknown(str(error))
        writes = working.writes(self.decider.ttl)
        if len(plans) > 1 and self._too_much(writes):
            return {}, Refused(f"{len(writes)} writes are too much for one transaction")
        answer = (yield Commit(writes, working.beside)) if writes else Committed()
        if not isinstance(answer, CommitResult):
            raise TypeError(f"The driver answered a commit with {answer!r}.")
        if isinstance(answer, Committed):
            for plan in plans:
                self.suspects.survived(plan)
        return settled, answer

    def _too_much(self, writes: Sequence[Write]) -> bool:
        if len(writes) > self.limits.commit_writes:
            return True
        most = self.limits.commit_bytes
        return sum(write.most for write in writes) > most and sum(write.size for write in writes) > most

    def _halves(
        self, plans: list[Plan], now: datetime, attempts: int
    ) -> Generator[Operation, OperationResult, dict[int, Settled]]:
        middle = len(plans) // 2
        first = yield from self._group(plans[:middle], now, attempts)
        second = yield from self._group(plans[middle:], now, attempts)
        return first | second

    def _one_by_one(
        self, alone: list[Plan], plans: list[Plan], now: datetime
    ) -> Generator[Operation, OperationResult, dict[int, Settled]]:
        """Settle the other deliveries together first, then every suspect by itself."""
        suspects = {plan.position for plan in alone}
        rest = [plan for plan in plans if plan.position not in suspects]
        settled: dict[int, Settled] = {}
        for group in ([rest] if rest else []) + [[plan] for plan in alone]:
            settled |= yield from self._group(group, now, self.limits.attempts)
        return settled

    def _refused(self, plan: Plan, answer: Refused | Failed) -> Plan:
        if isinstance(answer, Failed):
            # A death counts like an exception of the reaction: the event is tried again before it is quarantined.
            attempts = plan.attempts + 1
            problem = answer.detail if attempts >= self.limits.reaction_attempts else ""
            return plan._replace(problem=problem, attempts=attempts, stack=answer.stack)
        # The store refuses it even as a quarantine record, as it is too large: then only its beginning is kept.
        plan = plan._replace(delivery=shortened(plan.delivery)) if plan.problem else plan
        return plan._replace(problem=f"The store refuses what this event leads to: {answer.detail}")

    def _expected(self, plans: Sequence[Plan]) -> dict[Key, Beginning]:
        """Return the keys of records that most likely begin now, whichever of these events names them."""
        if self.newcomers is None:
            return {}
        begun: dict[Key, Beginning] = {}
        others: set[Key] = set()
        for plan in plans:
            for key, beginning in _beginnings(plan):
                if plan.delivery.purpose == "run" and self.newcomers.expects(beginning):
                    begun[key] = beginning
                else:
                    others.add(key)
        return {key: beginning for key, beginning in begun.items() if key not in others}

    def _read(
        self, plans: Sequence[Plan], expected: AbstractSet[Key]
    ) -> Generator[Operation, OperationResult, WorkingSet]:
        entity_keys = {key for plan in plans for key in plan.entity_keys}
        keys = (entity_keys - expected) | {plan.outcome_key for plan in plans if not plan.folds}
        answer = (yield Read(tuple(sorted(keys)))) if keys else Values({})
        if not isinstance(answer, Values) or answer.failed:
            raise AttemptFailedError("the read failed")
        if self.newcomers:
            for key, beginning in (pair for plan in plans for pair in _beginnings(plan)):
                if key not in expected:
                    self.newcomers.saw(beginning, found=key in answer.found)
        return WorkingSet.of(answer.found, entity_keys)


def _beginnings(plan: Plan) -> Iterator[tuple[Key, Beginning]]:
    wire_type = plan.subject.wire_type if plan.subject else ""
    return ((key, (wire_type, entity.kind)) for key, (entity, _) in zip(plan.entity_keys, plan.named, strict=True))
