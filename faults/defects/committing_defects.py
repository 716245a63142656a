"""Defects in how the engine recognises repeats, reads state, decides and commits."""

from __future__ import annotations

from typing import Final

from faults.defects.seeding import Change, Defect, in_engine

COMMITTING: Final = (
    Defect(
        "hooks-after-the-commit",
        0,
        "hooks are called once the event is committed, so what one fails to write is never written",
        (
            Change(
                "choreography.stores.sqlite",
                "            if beside is not None:\n                self._tables.write(connection, beside)\n"
                '            connection.execute("commit")\n',
                '            connection.execute("commit")\n'
                "            if beside is not None:\n                self._tables.write(connection, beside)\n",
            ),
        ),
        ("tests/integration/stores/test_own_tables.py::test_a_hook_that_fails_leaves_nothing_of_the_transaction",),
    ),
    in_engine(
        "no-outcome-record",
        1,
        "what was done with an event is not recorded, so a redelivery does it again",
        "deciding",
        "        if not (plan.folds and replayed is None and self._fold(plan, outcome, working, now)):\n"
        "            self._keep_separate(plan, outcome, working)\n        return outcome",
        "        return outcome",
    ),
    in_engine(
        "random-ids",
        1,
        "outgoing ids are random, so a repeat is another event to everybody",
        "identity",
        '    return hashlib.blake2b("\\n".join(parts).encode(), digest_size=16).hexdigest()',
        "    import secrets\n    at_random = secrets.token_hex(16) if len(parts) > 4 else ''\n"
        '    return at_random or hashlib.blake2b("\\n".join(parts).encode(), digest_size=16).hexdigest()',
    ),
    in_engine(
        "digest-not-compared",
        1,
        "another event under a known id passes for a repeat of it",
        "deciding",
        "            if known.digest != plan.digest:",
        "            if False:",
    ),
    in_engine(
        "ids-in-keys",
        3,
        "store keys are made of ids as they came, whatever characters are in them",
        "identity",
        '    return f"{key.service}.{key.kind}.{hashed(key.logical_id)}"',
        '    return f"{key.service}.{key.kind}.{key.logical_id}"',
    ),
    in_engine(
        "horizon-ignored",
        4,
        "an event older than every outcome is run as if it were new",
        "plan",
        "        return envelope.time < now - self._horizon and not delivery.inside and not proven",
        "        return False",
    ),
    in_engine(
        "absence-believed",
        5,
        "what a bulk get did not show is written over, as if it were not there",
        "working_set",
        "        return Write(key, record.encode(), self.etags.get(key), tombstone_ttl if record.gone else None)",
        '        return Write(key, record.encode(), self.etags.get(key, "*"), tombstone_ttl if record.gone else None)',
    ),
    in_engine(
        "expected-for-ever",
        5,
        "a record that was expected to begin, and is there, is expected to begin at the next attempt as well",
        "settling",
        "            expected = self._expected(plans) if attempt == 1 < attempts else {}\n",
        "            expected = expected if attempt > 1 else self._expected(plans)\n",
    ),
    in_engine(
        "silence-by-absence",
        5,
        "a reaction that does nothing because an entity was not shown is believed without a second look",
        "deciding",
        "        if not (plan.folds or self.limits.snapshot_reads) and (isinstance(ran, Quarantined) or ran.silent):",
        "        if False:",
    ),
    in_engine(
        "silence-beside-a-change",
        6,
        "a silent decision that saw a change of its own batch leaves unguarded what else it saw",
        "deciding",
        "        working.rest_on(plan.entity_keys)\n",
        "",
    ),
    in_engine(
        "failed-read-believed",
        5,
        "a key that could not be read is taken for a missing one",
        "settling",
        "        if not isinstance(answer, Values) or answer.failed:",
        "        if not isinstance(answer, Values):",
    ),
    in_engine(
        "no-etags",
        6,
        "the last writer wins",
        "working_set",
        "        return Write(key, record.encode(), self.etags.get(key), tombstone_ttl if record.gone else None)",
        '        return Write(key, record.encode(), "*", tombstone_ttl if record.gone else None)',
    ),
    in_engine(
        "unchanged-left-out",
        6,
        "an entity that a reaction only looked at is not in the transaction",
        "deciding",
        "        working.accept(ran.records, () if ran.silent and not plan.folds else plan.entity_keys)",
        "        working.accept(ran.records, plan.entity_keys if plan.folds else ())",
    ),
    in_engine(
        "set-aside-unguarded",
        7,
        "an event is quarantined though another replica has done it meanwhile, and what it said is lost",
        "deciding",
        "            working.guarded.update(plan.entity_keys)\n",
        "            pass\n",
    ),
    in_engine(
        "spilled-not-confirmed",
        5,
        "an outcome for which a record had no room is looked for in the bulk get only",
        "deciding",
        "working.record(plan.entity_keys[0]).apart:",
        "False:",
    ),
    in_engine(
        "unknown-is-success",
        7,
        "a commit without an answer is taken for a yes",
        "settling",
        "                case Committed():\n                    return settled\n",
        "                case Committed() | Unknown():\n                    return settled\n",
    ),
    in_engine(
        "unknown-is-failure",
        7,
        "a commit without an answer is taken for a no, and its events for bad ones",
        "settling",
        "                case Refused() | Failed() if len(plans) == 1:",
        "                case Refused() | Failed() | Unknown() if len(plans) == 1:",
    ),
    in_engine(
        "unknown-judged-per-batch",
        7,
        "if the outcome of one event of a batch is found, the whole batch is taken for committed",
        "settling",
        "                case Committed():\n                    return settled\n",
        "                case Committed():\n                    return settled\n"
        "                case Conflict() | Unknown() if len(plans) > 1:\n"
        "                    working = yield from self._read(plans, set())\n"
        "                    if any(plan.outcome_key in working.apart or any(\n"
        "                        working.records[key].outcome_of(plan.event_key)\n"
        "                        for key in plan.entity_keys if key in working.records\n"
        "                    ) for plan in plans):\n"
        "                        return settled\n"
        "                    yield Pause(attempt)\n",
    ),
    in_engine(
        "refused-batch-not-split",
        8,
        "one event that the store refuses takes its whole batch into quarantine",
        "settling",
        "                case Refused() | Failed():\n"
        "                    return (yield from self._halves(plans, now, attempts))",
        "                case Refused() | Failed():\n"
        "                    plans = [self._refused(plan, answer) for plan in plans]",
    ),
    in_engine(
        "hook-fails-at-once",
        15,
        "the first failure of a hook sets its event aside, whatever passed meanwhile",
        "settling",
        '            problem = answer.detail if attempts >= self.limits.reaction_attempts else ""\n',
        "            problem = answer.detail\n",
    ),
    in_engine(
        "rows-of-the-first-change",
        0,
        "of an entity that changed twice in a batch the rows of the first change are written",
        "rows_and_hooks",
        "    working.rows.update(((one.projection.table, one.key), one) for one in ran.rows)\n",
        "    working.rows = {(one.projection.table, one.key): one for one in ran.rows} | working.rows\n",
    ),
    in_engine(
        "batches-not-cut",
        8,
        "a transaction grows with whatever is in the batch",
        "settling",
        "        if len(plans) > 1 and self._too_much(writes):",
        "        if len(plans) > 1 and len(writes) < 0:",
    ),
    in_engine(
        "keys-not-sorted",
        8,
        "two replicas lock the same keys in different orders",
        "working_set",
        "        return tuple(sorted((*entities, *self.others.values()), key=lambda write: write.key))",
        "        return tuple(sorted((*entities, *self.others.values()), key=lambda write: write.key, reverse=True))",
    ),
    in_engine(
        "mutation-leaks",
        9,
        "what a failing reaction did to a nested value is seen by the next one",
        "kept_entities",
        "    kept, wider = unshared(_decoded(entity, logical_id, state)), False",
        "    import builtins\n"
        '    memo = builtins.__dict__.setdefault("_leak", {})\n'
        "    decoded = _decoded(entity, logical_id, state)\n"
        "    kept, wider = memo.setdefault(id(state), (state, decoded))[1], False",
    ),
    in_engine(
        "outgoing-not-checked",
        12,
        "an event that nobody can take is committed, and then can never be published",
        "envelope",
        "        if len(encoded) > LARGEST_EVENT:",
        "        if False:",
    ),
    in_engine(
        "command-id-random",
        17,
        "a request sent twice is two events",
        "commanding",
        '        return derived_id("command", self._service.name, caller, route, key)',
        "        import secrets\n        return secrets.token_hex(16)",
    ),
    in_engine(
        "outcomes-evicted",
        4,
        "an entity forgets its oldest outcomes when there are many",
        "records",
        "            return False\n        self.folded = kept",
        "            kept.pop(next(iter(kept)))\n        self.folded = kept",
    ),
    in_engine(
        "tombstone-kept-for-ever",
        10,
        "what was deleted is never purged",
        "working_set",
        "tombstone_ttl if record.gone else None)",
        "None)",
    ),
)
