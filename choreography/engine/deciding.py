"""One attempt at a batch classifies each event: a repeat, a conflict, a quarantine, or one to run.

Nothing here writes: decisions are gathered in the working set, and count only if its transaction commits.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from choreography.engine.delivery import Delivery
from choreography.engine.fate import Fate
from choreography.engine.identity import Key, accepted_about_key, accepted_key, outcome_key
from choreography.engine.memory import TooOld
from choreography.engine.not_yet import FULL, noted, page_keys, read_page
from choreography.engine.noting import notes_of_intents
from choreography.engine.operations import Confirm, Limits, Operation, OperationResult, Stored, Write
from choreography.engine.plan import Plan
from choreography.engine.quarantine import conflict_identity, quarantine_outcome
from choreography.engine.reacting import Ran, Reacting
from choreography.engine.records import Outcome, Quarantined, decode_outcome, encode_outcome
from choreography.engine.retrying import Retrying
from choreography.engine.rows_and_hooks import join, projected
from choreography.engine.spoilt import UnreadableRecordError, read_kept
from choreography.engine.working_set import WorkingSet
from choreography.service import Service


class Settled(NamedTuple):
    """The result of one delivery. ``outcome`` is None if there was nothing to do, or if it must be redelivered."""

    delivery: Delivery
    outcome: Outcome | None = None
    repeated: bool = False
    again: bool = False
    too_old: bool = False

    @property
    def fate(self) -> Fate:
        """How the delivery ended, provided that the events of its outcome are released."""
        if self.again:
            return Fate.AGAIN
        if self.too_old:
            return Fate.TOO_OLD
        if self.outcome is not None and self.outcome.quarantined:
            return Fate.QUARANTINED
        if self.repeated:
            return Fate.REPEATED
        return Fate.SETTLED if self.outcome is not None else Fate.IGNORED


class AttemptFailedError(Exception):
    """This attempt cannot go on; the next attempt reads again."""


class Decider:
    """Decides the events of one service in order, each on the state that the events before it left."""

    def __init__(self, service: Service, limits: Limits, retrying: Retrying, replica: str = "one") -> None:
        self.service, self.limits, self._retrying = service, limits, retrying
        self._too_old = TooOld()
        self._pages = page_keys(service.name, replica)

    @property
    def ttl(self) -> int:
        """Seconds for which outcomes and tombstones are kept."""
        return self.limits.kept_seconds

    def attempt(
        self, plans: Sequence[Plan], working: WorkingSet, now: datetime, *, thorough: bool
    ) -> Generator[Operation, OperationResult, dict[int, Settled]]:
        """Decide every event of a batch, in order.

        Raises:
            AttemptFailedError: the store did not return the records that the decision needs.
        """
        settled: dict[int, Settled] = {}
        decided: dict[str, Outcome] = {}
        for plan in plans:
            try:
                known = decided.get(plan.identity) or (yield from self._known(plan, working, thorough=thorough))
                one = yield from self._settled(plan, known, working, now)
            except UnreadableRecordError as error:
                one = yield from self._unreadable(plan, str(error), working, now)
            if one.outcome is not None:
                # Under the outcome's own id: a different event must not pass for the event whose id it took.
                decided[one.outcome.event_id] = one.outcome
            settled[plan.position] = one
        return settled

    def _settled(
        self, plan: Plan, known: Outcome | None, working: WorkingSet, now: datetime
    ) -> Generator[Operation, OperationResult, Settled]:
        delivery = plan.delivery
        if known is None and delivery.purpose == "nudge":
            return Settled(delivery)
        counts = known is None and plan.too_old and delivery.purpose == "run"
        if counts and self._too_old.has_letter(plan.topic, plan.identity, now):
            return Settled(delivery, too_old=True)
        outcome, repeated = yield from self._decide(plan, known, working, now)
        return Settled(delivery, outcome, repeated)

    def _known(
        self, plan: Plan, working: WorkingSet, *, thorough: bool
    ) -> Generator[Operation, OperationResult, Outcome | None]:
        """Find the outcome of an event in both places where it may be, whichever of them this release would choose."""
        for key in plan.entity_keys:
            if key in working.unreadable:
                raise UnreadableRecordError(key, working.unreadable[key])
            record = working.records.get(key)
            folded = record.folded.get(plan.event_key) if record and record.folded else None
            if folded is not None:
                return read_kept(key, Outcome.from_json, folded)
        if not plan.folds:
            stored = working.apart.get(plan.outcome_key)
        elif thorough or plan.delivery.purpose == "replay" or working.record(plan.entity_keys[0]).apart:
            stored = yield from self._confirm(plan.outcome_key, working)
        else:
            # The record itself proves that the outcome is absent: the record is written under its ETag, or first-write.
            return None
        return read_kept(plan.outcome_key, decode_outcome, stored.value) if stored else None

    def _confirm(self, key: Key, working: WorkingSet) -> Generator[Operation, OperationResult, Stored | None]:
        answer = yield Confirm(key)
        if answer is None:
            return None
        if not isinstance(answer, Stored):
            raise AttemptFailedError("the confirming read failed")
        working.apart[key] = answer
        working.etags[key] = answer.etag
        return answer

    def _decide(
        self, plan: Plan, known: Outcome | None, working: WorkingSet, now: datetime
    ) -> Generator[Operation, OperationResult, tuple[Outcome, bool]]:
        if known is not None:
            if known.digest != plan.digest:
                return (yield from self._conflict(plan, known, working, now))
            if not (plan.delivery.purpose == "replay" and known.quarantined and (plan.attempts or not plan.problem)):
                return known, True
        if plan.problem:
            bad = Quarantined(plan.problem, plan.attempts, plan.stack, plan.delivery.raw, plan.needs)
            return (yield from self._quarantine(plan, working, now, bad)), False
        ran = self._retrying.run(plan, lambda: self._react(plan, working, now))
        if not (plan.folds or self.limits.snapshot_reads) and (isinstance(ran, Quarantined) or ran.silent):
            # The transaction does not hold the entities it named, so it cannot prove that they are still missing.
            for key in plan.entity_keys:
                if key not in working.records and (yield from self._confirm(key, working)) is not None:
                    raise AttemptFailedError("an entity that the bulk get did not show exists")
        working.rest_on(plan.entity_keys)
        if isinstance(ran, Quarantined):
            return (yield from self._quarantine_again(plan, known, working, now, ran))
        return self._keep(plan, ran, working, now), False

    def _react(self, plan: Plan, working: WorkingSet, now: datetime) -> Ran:
        if plan.subject is None or plan.heard is None:
            raise TypeError("An event without reactions cannot be run.")
        reacting = Reacting(
            self.service, plan.subject, plan.delivery, working.records, now, heard=plan.heard, named=plan.named
        )
        return projected(self.service, plan, working.records, reacting.run())

    def _keep(self, plan: Plan, ran: Ran, working: WorkingSet, now: datetime) -> Outcome:
        outcome = Outcome(
            event_id=plan.identity,
            digest=plan.digest,
            at=now,
            events=tuple(ran.events),
            deadlines=tuple(ran.deadlines),
            intents=tuple(ran.intents),
            written=tuple(ran.written),
            own=plan.own,
            heard=plan.delivery.raw if plan.inside else "",
            type=plan.delivery.type,
            flow_id=plan.flow_id,
        )
        if self.limits.snapshot_reads:
            working.put(*notes_of_intents(self.service.name, plan, outcome, self.ttl))
        self._settle_command(plan, working, ran)
        join(self.service, plan, ran, outcome, working)
        working.accept(ran.records, () if ran.silent and not plan.folds else plan.entity_keys)
        replayed = working.apart.get(plan.outcome_key) if plan.delivery.purpose == "replay" else None
        if not (plan.folds and replayed is None and self._fold(plan, outcome, working, now)):
            self._keep_separate(plan, outcome, working)
        return outcome

    def _settle_command(self, plan: Plan, working: WorkingSet, ran: Ran | None) -> None:
        """Delete the record of the command that led to an event: from now on the event's outcome replaces it.

        The list under the command's subject stays until the subject exists: a GET must never answer 404 for it, not
        even when the event was quarantined or several commands are under way.
        """
        envelope = plan.delivery.envelope
        if not plan.commanded or envelope is None:
            return
        working.put(Write.deletion(accepted_key(self.service.name, envelope.id)))
        for key, (_, logical_id) in zip(plan.entity_keys, plan.named, strict=True):
            changed = ran.records.get(key) if ran and logical_id == envelope.subject else None
            if changed is not None and changed.state is not None and working.record(key).state is None:
                working.put(Write.deletion(accepted_about_key(self.service.name, envelope.subject)))

    def _fold(self, plan: Plan, outcome: Outcome, working: WorkingSet, now: datetime) -> bool:
        key = plan.entity_keys[0]
        record = working.record(key)
        try:
            folded = record.fold(plan.event_key, outcome, now - timedelta(seconds=self.ttl))
        except Exception:  # noqa: BLE001 - one of its outcomes is spoilt: the room left is unknown
            return False
        if folded:
            working.records[key] = record
        return folded

    def _keep_separate(self, plan: Plan, outcome: Outcome, working: WorkingSet) -> None:
        key = plan.outcome_key
        ttl = None if outcome.quarantined else self.ttl
        working.put(Write(key, encode_outcome(outcome), working.etags.get(key), ttl))
        if plan.folds:
            # In the transaction even if unchanged: another replica may be folding an outcome of this event into it.
            working.guarded.update(plan.entity_keys)
        if self.limits.snapshot_reads:
            return
        for entity_key in working.guarded.intersection(plan.entity_keys):
            record = working.record(entity_key)
            if not record.apart:
                working.records[entity_key] = replace(record.copy(), apart=True)

    def _quarantine(
        self, plan: Plan, working: WorkingSet, now: datetime, bad: Quarantined
    ) -> Generator[Operation, OperationResult, Outcome]:
        if bad.needs and not (yield from self._note(plan, bad.needs, working)):
            bad = bad._replace(reason=bad.reason + FULL)
        stored = working.apart.get(plan.outcome_key)
        earlier = read_kept(plan.outcome_key, decode_outcome, stored.value).quarantined if stored else None
        if earlier is not None:
            bad = bad._replace(attempts=earlier.attempts + max(1, bad.attempts))
        outcome = quarantine_outcome(self.service.name, plan, bad, now)
        self._settle_command(plan, working, None)
        self._keep_separate(plan, outcome, working)
        return outcome

    def _quarantine_again(
        self, plan: Plan, known: Outcome | None, working: WorkingSet, now: datetime, bad: Quarantined
    ) -> Generator[Operation, OperationResult, tuple[Outcome, bool]]:
        """Quarantine an event. A replay that still lacks the same knowledge leaves its record as it is."""
        earlier = known.quarantined if known else None
        if known and earlier and bad.needs and bad.needs == earlier.needs:
            return known, True
        return (yield from self._quarantine(plan, working, now, bad)), False

    def _note(self, plan: Plan, needs: str, working: WorkingSet) -> Generator[Operation, OperationResult, bool]:
        """List a quarantined event where the release that understands it will look. False if there is no room."""
        for key in self._pages:
            written = working.others.get(key)
            if written is None:
                yield from self._confirm(key, working)
            stored = working.apart.get(key)
            text = written.value if written else stored.value if stored else None
            if (page := noted(read_kept(key, read_page, text), plan.identity, needs)) is not None:
                working.put(Write(key, page, working.etags.get(key)))
                return True
        return False

    def _conflict(
        self, plan: Plan, known: Outcome, working: WorkingSet, now: datetime
    ) -> Generator[Operation, OperationResult, tuple[Outcome, bool]]:
        """Quarantine an event whose id belongs to an event with other data: it is never a repeat and never run."""
        settled_at = f"{known.at:%Y-%m-%d %H:%M:%S}"
        reason = f"Another event with the id {plan.identity!r} said something else and was settled at {settled_at}."
        # It has the id of the event that a command led to, but is a different event.
        twin = plan._replace(commanded=False)
        return (yield from self._quarantine_as(conflict_identity(plan), reason, twin, working, now))

    def _quarantine_as(
        self, identity: str, reason: str, plan: Plan, working: WorkingSet, now: datetime
    ) -> Generator[Operation, OperationResult, tuple[Outcome, bool]]:
        """Quarantine an event under this identity, once, and touch none of the entities that it names."""
        key = outcome_key(self.service.name, identity)
        twin = plan._replace(identity=identity, outcome_key=key, entity_keys=(), named=(), folds=False)
        recorded = yield from self._confirm(twin.outcome_key, working)
        if recorded is not None:
            return read_kept(twin.outcome_key, decode_outcome, recorded.value), True
        bad = Quarantined(reason, 0, "", plan.delivery.raw)
        return (yield from self._quarantine(twin, working, now, bad)), False

    def _unreadable(
        self, plan: Plan, problem: str, working: WorkingSet, now: datetime
    ) -> Generator[Operation, OperationResult, Settled]:
        """Quarantine an event because of a spoilt record: reading the record again would fail the same way."""
        reason = f"{problem} Nobody can tell what this event meets. Mend or remove the record, then replay the event."
        try:
            outcome, repeated = yield from self._quarantine_as(plan.identity, reason, plan, working, now)
        except UnreadableRecordError:
            # The event's own outcome cannot be read.
            outcome, repeated = yield from self._quarantine_as(
                f"{plan.identity}~unreadable", reason, plan, working, now
            )
        return Settled(plan.delivery, outcome, repeated)
