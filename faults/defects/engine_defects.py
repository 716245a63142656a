"""Defects of the engine: what it reads, commits and releases, and in which order."""

from __future__ import annotations

from typing import Final

from faults.defects.seeding import Change, Defect

_ENGINE: Final = "choreography.engine."


def _one(name: str, rule: int, does: str, module: str, *text: str) -> Defect:
    return Defect(name, rule, does, (Change(_ENGINE + module, *text),))


_EARLY: Final = """        from choreography.engine.operations import Together
        from choreography.engine.releasing import {parts}, _first_of_each
        early = list(settled.values())
        parts = {call}
        if parts:
            yield Together(tuple(part.operation for part in parts))
        answer = (yield Commit(writes)) if writes else Committed()
"""
_COMMIT: Final = "        answer = (yield Commit(writes)) if writes else Committed()\n"

ENGINE: Final = (
    _one(
        "no-outcome-record",
        1,
        "what was done with an event is not recorded, so a redelivery does it again",
        "deciding",
        "        if not (plan.folds and replayed is None and self._fold(plan, outcome, working, now)):\n"
        "            self._put_apart(plan, outcome, working)\n        return outcome",
        "        return outcome",
    ),
    _one(
        "random-ids",
        1,
        "outgoing ids are random, so a repeat is another event to everybody",
        "identity",
        '    return hashlib.blake2b("\\n".join(parts).encode(), digest_size=16).hexdigest()',
        "    import secrets\n    at_random = secrets.token_hex(16) if len(parts) > 4 else ''\n"
        '    return at_random or hashlib.blake2b("\\n".join(parts).encode(), digest_size=16).hexdigest()',
    ),
    _one(
        "digest-not-compared",
        1,
        "another event under a known id passes for a repeat of it",
        "deciding",
        "            if known.digest != plan.digest:",
        "            if False:",
    ),
    _one(
        "ids-in-keys",
        3,
        "store keys are made of ids as they came, whatever characters are in them",
        "identity",
        '    return f"{service}.{kind}.{hashed(logical_id)}"',
        '    return f"{service}.{kind}.{logical_id}"',
    ),
    _one(
        "horizon-ignored",
        4,
        "an event older than every outcome is run as if it were new",
        "plan",
        "        if envelope.time < now - horizon and not delivery.inside and not replayed:",
        "        if False:",
    ),
    _one(
        "unknown-version-dropped",
        16,
        "the next version of a known event is acknowledged and forgotten",
        "plan",
        "            if not self.concerns(envelope.type):",
        "            if True:",
    ),
    _one(
        "absence-believed",
        5,
        "what a bulk get did not show is written over, as if it were not there",
        "working_set",
        "        return Write(key, record.encode(), self.etags.get(key), tombstone_ttl if record.gone else None)",
        '        return Write(key, record.encode(), self.etags.get(key, "*"), tombstone_ttl if record.gone else None)',
    ),
    _one(
        "silence-by-absence",
        5,
        "a reaction that does nothing because an entity was not shown is believed without a second look",
        "deciding",
        "        if not plan.folds and (isinstance(ran, Quarantined) or ran.silent):",
        "        if False:",
    ),
    _one(
        "failed-read-believed",
        5,
        "a key that could not be read is taken for a missing one",
        "settling",
        "        if not isinstance(answer, Values) or answer.failed:",
        "        if not isinstance(answer, Values):",
    ),
    _one(
        "no-etags",
        6,
        "the last writer wins",
        "working_set",
        "        return Write(key, record.encode(), self.etags.get(key), tombstone_ttl if record.gone else None)",
        '        return Write(key, record.encode(), "*", tombstone_ttl if record.gone else None)',
    ),
    _one(
        "unchanged-left-out",
        6,
        "an entity that a reaction only looked at is not in the transaction",
        "deciding",
        "        working.accept(ran.records, () if ran.silent and not plan.folds else plan.entity_keys)",
        "        working.accept(ran.records, plan.entity_keys if plan.folds else ())",
    ),
    _one(
        "unknown-is-success",
        7,
        "a commit without an answer is taken for a yes",
        "settling",
        "                case Committed():\n                    return settled\n",
        "                case Committed() | Unknown():\n                    return settled\n",
    ),
    _one(
        "unknown-is-failure",
        7,
        "a commit without an answer is taken for a no, and its events for bad ones",
        "settling",
        "                case Refused(detail) if len(plans) == 1:",
        "                case Refused(detail) | Unknown(detail) if len(plans) == 1:",
    ),
    _one(
        "unknown-judged-per-batch",
        7,
        "if the outcome of one event of a batch is found, the whole batch is taken for committed",
        "settling",
        "                case Committed():\n                    return settled\n",
        "                case Committed():\n                    return settled\n"
        "                case Conflict() | Unknown() if len(plans) > 1:\n"
        "                    working = yield from self._read(plans)\n"
        "                    if any(plan.outcome_key in working.apart or any(\n"
        "                        working.records[key].outcome_of(plan.event_key)\n"
        "                        for key in plan.entity_keys if key in working.records\n"
        "                    ) for plan in plans):\n"
        "                        return settled\n"
        "                    yield Pause(attempt)\n",
    ),
    _one(
        "refused-batch-not-split",
        8,
        "one event that the store refuses takes its whole batch into quarantine",
        "settling",
        "                case Refused():\n                    return (yield from self._halves(plans, now, attempts))",
        "                case Refused(detail):\n"
        "                    plans = [self._refused(plan, detail) for plan in plans]",
    ),
    _one(
        "batches-not-cut",
        8,
        "a transaction grows with whatever is in the batch",
        "settling",
        "        if len(plans) > 1 and (len(writes) > self.limits.commit_writes or size > self.limits.commit_bytes):",
        "        if len(plans) > 1 and size < 0:",
    ),
    _one(
        "keys-not-sorted",
        8,
        "two replicas lock the same keys in different orders",
        "working_set",
        "        return tuple(sorted((*entities, *self.others.values()), key=lambda write: write.key))",
        "        return tuple(sorted((*entities, *self.others.values()), key=lambda write: write.key, reverse=True))",
    ),
    _one(
        "mutation-leaks",
        9,
        "what a failing reaction did to a nested value is seen by the next one",
        "reacting",
        "            return _unshared(named.entity.model_validate_json(orjson.dumps(state)))",
        "            import builtins\n"
        '            memo = builtins.__dict__.setdefault("_leak", {})\n'
        "            decoded = named.entity.model_validate_json(orjson.dumps(state))\n"
        "            return memo.setdefault(id(state), (state, decoded))[1]",
    ),
    _one(
        "outgoing-not-checked",
        12,
        "an event that nobody can take is committed, and then can never be published",
        "envelope",
        "        if len(encoded) > LARGEST_EVENT:",
        "        if False:",
    ),
    _one(
        "repeats-not-republished",
        13,
        "a redelivery is recognised and acknowledged, but what it led to is not published again",
        "releasing",
        "    if outcome is None:\n        return ()",
        "    if outcome is None or (one.repeated and one.delivery.purpose == 'run'):\n        return ()",
    ),
    _one(
        "remembered-too-early",
        13,
        "a replica remembers as published what the broker has not confirmed",
        "releasing",
        '        if done[index] and outcome and delivery.purpose == "run":',
        '        if outcome and delivery.purpose == "run":',
    ),
    _one(
        "nudge-forgets-the-command",
        14,
        "a nudge does not publish the event of a command again, so the first step cannot be mended",
        "releasing",
        "    own = (outcome.own,) if outcome.own else ()",
        "    own = ()",
    ),
    _one(
        "conflicts-counted-as-failures",
        15,
        "an event that met other writers too often is set aside as if it were bad",
        "settling",
        "                case _:\n                    yield Pause(attempt)\n",
        "                case Conflict(detail) if attempt == attempts - 1:\n"
        "                    plans = [self._refused(plan, detail) for plan in plans]\n"
        "                case _:\n                    yield Pause(attempt)\n",
    ),
    _one(
        "exception-swallowed",
        15,
        "a reaction that fails is taken for one that has nothing to do",
        "suspects",
        "                last = failed(error, attempt, raw)\n        return last",
        "                last = Ran()\n        return last",
    ),
    _one(
        "no-suspects",
        15,
        "an event that kills the process kills it again for ever",
        "suspects",
        "        if deaths >= self._limits.suspect_attempts:",
        "        if False:",
    ),
    _one(
        "suspects-run-together",
        15,
        "an event under suspicion takes its neighbours down with it",
        "suspects",
        "        if suspects and len(plans) > 1:",
        "        if False:",
    ),
    _one(
        "acknowledged-before-commit",
        0,
        "a delivery is acknowledged although its transaction never succeeded",
        "releasing",
        "    undone = {index for index, one in enumerate(settled) if one.again}",
        "    undone: set[int] = set()",
    ),
    _one(
        "acknowledged-before-publish",
        0,
        "a delivery is acknowledged although the broker did not take what it led to",
        "releasing",
        "            undone |= {part.owners[item] for item in missed} if not isinstance(missed, bool) else set()",
        "            undone |= set() if isinstance(part.operation, Publish) or isinstance(missed, bool) else "
        "{part.owners[item] for item in missed}",
    ),
    _one(
        "published-before-commit",
        0,
        "events are published before what they tell of is committed",
        "settling",
        _COMMIT,
        _EARLY.format(parts="_publishing", call="_publishing(early, _first_of_each(early), self.limits)"),
    ),
    _one(
        "effect-before-commit",
        18,
        "the outside is called before the intent is committed",
        "settling",
        _COMMIT,
        _EARLY.format(parts="_carrying_out", call="_carrying_out(early, _first_of_each(early))"),
    ),
    _one(
        "intents-not-recorded",
        18,
        "an intent is carried out but not in the outcome, so a crash forgets it",
        "deciding",
        "            wishes=tuple(ran.wishes),",
        "            wishes=(),",
    ),
    _one(
        "effect-key-per-attempt",
        18,
        "the outside gets another idempotency key with every attempt",
        "reacting",
        "            key = derived_id(cause, self.service.name, reaction.name, effect, str(position))",
        "            key = derived_id(cause, self.service.name, str(id(intent)), effect, str(position))",
    ),
    _one(
        "deadline-after-the-answer",
        20,
        "a delivery is acknowledged although its deadlines could not be scheduled",
        "releasing",
        "            missed = set(range(len(part.owners))) if answer is False else answer",
        "            missed = set() if answer is False else answer",
    ),
    _one(
        "deadline-from-now",
        20,
        "a deadline counts from when the event was handled, so a redelivery moves it",
        "reacting",
        "            due = self.envelope.time + reaction.within if reaction.within else self.envelope.time",
        "            due = self.now + reaction.within if reaction.within else self.now",
    ),
    _one(
        "deadline-from-anybody",
        20,
        "an answer or a deadline that came from the broker is believed",
        "plan",
        '        if subject and not subject.topic and delivery.purpose == "run" and not delivery.inside:',
        "        if False:",
    ),
    _one(
        "join-id-from-the-last",
        21,
        "what a join says has an id made of whichever event came last",
        "reacting",
        '        cause = derived_id("join", self.service.name, reaction.name, reaction.joined.entity.kind, logical_id)',
        "        cause = self.envelope.id",
    ),
    _one(
        "join-keeps-the-last",
        21,
        "a slot takes a second, different event without a word",
        "joining",
        '            if self._filled[wire_type]["digest"] != envelope.digest:',
        "            if False:",
    ),
    _one(
        "undo-forgotten",
        21,
        "an undo that overtakes what it undoes has no effect",
        "joining",
        "            self._undone[wire_type] = self._undone.get(wire_type, 0) + 1",
        "            pass",
    ),
    _one(
        "command-id-random",
        17,
        "a request sent twice is two events",
        "commanding",
        '        return derived_id("command", self._service.name, caller, route, key)',
        "        import secrets\n        return secrets.token_hex(16)",
    ),
    _one(
        "outcomes-evicted",
        4,
        "an entity forgets its oldest outcomes when there are many",
        "records",
        "            return False\n        self.folded = kept",
        "            kept.pop(next(iter(kept)))\n        self.folded = kept",
    ),
)
