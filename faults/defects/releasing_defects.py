"""Defects in when the engine acknowledges, publishes, calls the outside and schedules, and in what it publishes."""

from __future__ import annotations

from typing import Final

from faults.defects.seeding import in_engine

_EARLY: Final = """        from choreography.engine.operations import Together
        from choreography.engine.releasing import {parts}, _first_of_each
        early = list(settled.values())
        parts = {call}
        if parts:
            yield Together(tuple(part.operation for part in parts))
        answer = (yield Commit(writes)) if writes else Committed()
"""
_COMMIT: Final = "        answer = (yield Commit(writes, working.beside)) if writes else Committed()\n"

RELEASING: Final = (
    in_engine(
        "unknown-version-dropped",
        16,
        "the next version of a known event is acknowledged and forgotten",
        "plan",
        "        if delivery.inside or (self.concerns(delivery.type) and delivery.type not in LIBRARY_TYPES):",
        "        if delivery.inside:",
    ),
    in_engine(
        "repeats-not-republished",
        13,
        "a redelivery is recognised and acknowledged, but what it led to is not published again",
        "releasing",
        "    if outcome is None:\n        return ()",
        "    if outcome is None or (one.repeated and one.delivery.purpose == 'run'):\n        return ()",
    ),
    in_engine(
        "remembered-too-early",
        13,
        "a replica remembers as published what the broker has not confirmed",
        "releasing",
        '        if done[index] and outcome and delivery.purpose == "run":',
        '        if outcome and delivery.purpose == "run":',
    ),
    in_engine(
        "nudge-forgets-the-command",
        14,
        "a nudge does not publish the event of a command again, so the first step cannot be mended",
        "releasing",
        "    own = (outcome.own,) if outcome.own else ()",
        "    own = ()",
    ),
    in_engine(
        "conflicts-counted-as-failures",
        15,
        "an event that met other writers too often is quarantined as if it were bad",
        "settling",
        "                case _:\n                    yield Pause(attempt)\n",
        "                case Conflict(detail) if attempt == attempts - 1:\n"
        "                    plans = [self._refused(plan, detail) for plan in plans]\n"
        "                case _:\n                    yield Pause(attempt)\n",
    ),
    in_engine(
        "exception-swallowed",
        15,
        "a reaction that fails is taken for one that has nothing to do",
        "retrying",
        "                last = failed(error, attempt, raw)\n        return last",
        "                last = Ran()\n        return last",
    ),
    in_engine(
        "no-suspects",
        15,
        "an event that kills the process kills it again for ever",
        "retrying",
        "        if deaths >= self._limits.suspect_attempts:",
        "        if False:",
    ),
    in_engine(
        "suspects-run-together",
        15,
        "an event under suspicion takes its neighbours down with it",
        "suspects",
        "        if suspects and len(plans) > 1:",
        "        if False:",
    ),
    in_engine(
        "acknowledged-before-commit",
        0,
        "a delivery is acknowledged although its transaction never succeeded",
        "releasing",
        "    undone = {index for index, one in enumerate(settled) if one.again}",
        "    undone: set[int] = set()",
    ),
    in_engine(
        "acknowledged-before-publish",
        0,
        "a delivery is acknowledged although the broker did not take what it led to",
        "releasing",
        "                undone |= {part.owners[item] for item in answer}",
        "                undone |= {part.owners[item] for item in answer if not isinstance(part.operation, Publish)}",
    ),
    in_engine(
        "published-before-commit",
        0,
        "events are published before what they tell of is committed",
        "settling",
        _COMMIT,
        _EARLY.format(parts="_publishing", call="_publishing(early, _first_of_each(early), self.limits)"),
    ),
    in_engine(
        "effect-before-commit",
        18,
        "the outside is called before the intent is committed",
        "settling",
        _COMMIT,
        _EARLY.format(parts="_carrying_out", call="_carrying_out(early, _first_of_each(early))"),
    ),
    in_engine(
        "intents-not-recorded",
        18,
        "an intent is carried out but not in the outcome, so a crash forgets it",
        "deciding",
        "            intents=tuple(ran.intents),",
        "            intents=(),",
    ),
    in_engine(
        "effect-key-per-attempt",
        18,
        "the outside gets another idempotency key with every attempt",
        "reacting",
        "            key = derived_id(cause, self.service.name, reaction.name, effect, str(position))",
        "            key = derived_id(cause, self.service.name, str(id(intent)), effect, str(position))",
    ),
    in_engine(
        "deadline-after-the-answer",
        20,
        "a delivery is acknowledged although its deadlines could not be scheduled",
        "releasing",
        "                undone |= set() if answer else set(part.owners)",
        "                undone |= set()",
    ),
    in_engine(
        "deadline-from-now",
        20,
        "a deadline counts from when the event was handled, so a redelivery moves it",
        "reacting",
        "            due = min(self.envelope.time, self.now) + (reaction.within or timedelta(0))",
        "            due = self.now + (reaction.within or timedelta(0))",
    ),
    in_engine(
        "deadline-from-anybody",
        20,
        "an answer or a deadline that came from the broker is believed",
        "belonging",
        "        if subject is not None and not subject.topic:",
        "        if False:",
    ),
    in_engine(
        "join-id-from-the-last",
        21,
        "what a join says has an id made of whichever event came last",
        "reacting",
        '        cause = derived_id("join", self.service.name, reaction.name, reaction.joined.entity.kind, logical_id)',
        "        cause = self.envelope.id",
    ),
    in_engine(
        "join-keeps-the-last",
        21,
        "a slot takes a second, different event without a word",
        "joining",
        '            if self._filled[wire_type]["digest"] != envelope.digest:',
        "            if False:",
    ),
    in_engine(
        "undo-forgotten",
        21,
        "an undo that overtakes what it undoes has no effect",
        "joining",
        "            self._undone[wire_type] = self._undone.get(wire_type, 0) + 1",
        "            pass",
    ),
    in_engine(
        "named-twice",
        15,
        "an event that came twice in a batch counts as having killed two processes, and is quarantined unrun",
        "suspects",
        "        named = list(dict.fromkeys(plan.identity for plan in plans if _may_run(plan)))",
        "        named = [plan.identity for plan in plans if _may_run(plan)]",
    ),
)
