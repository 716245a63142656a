"""Defects in how deliveries are counted, and in who is trusted."""

from __future__ import annotations

from typing import Final

from faults.defects.seeding import Change, Defect, in_engine

_CONSERVATION: Final = ("tests/unit/runtime/test_conservation.py",)

ACCOUNTING: Final = (
    Defect(
        "ignored-in-silence",
        26,
        "a delivery of a type that nobody declared is acknowledged and counted nowhere",
        (
            Change(
                "choreography.runtime.intake",
                "        self._metrics.delivered.inc()\n        self._metrics.ignored(wire_type)",
                "        self._metrics.delivered.inc()",
            ),
        ),
        _CONSERVATION,
    ),
    Defect(
        "malformed-control-in-silence",
        26,
        "a nudge or a replay that makes no sense is acknowledged and leaves no trace",
        (Change("choreography.engine.control", "    if strange:\n", "    if False:\n"),),
    ),
    in_engine(
        "any-topic-believed",
        27,
        "whoever may publish on any topic can say any fact there",
        "belonging",
        "    if delivery.topic != known.topic:",
        "    if False:",
    ),
    in_engine(
        "any-source-believed",
        27,
        "an event of somebody else than its owner counts",
        "belonging",
        "    if owner and delivery.envelope and delivery.envelope.source != owner:",
        "    if False:",
    ),
    in_engine(
        "false-event-takes-the-place",
        27,
        "an event that is not believed is quarantined under the id of the true one, which is then a conflict",
        "plan",
        '        named = delivery.identity if delivery.envelope is None else f"{delivery.identity}~{digest}"',
        "        named = delivery.identity",
    ),
    in_engine(
        "replay-runs-the-request",
        28,
        "a replay runs the events that its request holds, whether they were quarantined or never said",
        "control",
        '    return Delivery(None, orjson.dumps(name).decode(), name, purpose="replay", nudge=control.id)',
        "    return read_parsed(asked, orjson.dumps(asked)) if isinstance(asked, dict) else None",
    ),
    in_engine(
        "spoilt-record-ends-the-process",
        29,
        "a record that nobody can read takes everybody's events with it, again and again",
        "working_set",
        '                unreadable[key] = f"{type(error).__name__}: {error}"',
        "                raise RuntimeError(key) from error",
    ),
    Defect(
        "tried-for-ever",
        29,
        "what fails the same way while store and broker are well is tried again for ever",
        (Change("choreography.engine.memory", "        return count >= self.most", "        return False"),),
        _CONSERVATION,
    ),
    in_engine(
        "clocks-believed",
        32,
        "an event from ten minutes ahead is quarantined, so one wrong clock empties a shop",
        "operations",
        "    skew_seconds: int = 24 * 3600",
        "    skew_seconds: int = 300",
    ),
    in_engine(
        "deadline-from-a-fast-clock",
        32,
        "a publisher whose clock is ahead gives everybody more time",
        "reacting",
        "            due = min(self.envelope.time, self.now) + (reaction.within or timedelta(0))",
        "            due = self.envelope.time + (reaction.within or timedelta(0))",
    ),
    in_engine(
        "a-letter-for-each-old-event",
        32,
        "a first subscription to a topic that keeps years of events writes a letter about each of them",
        "deciding",
        "        if counts and self._too_old.has_letter(plan.topic, plan.identity, now):",
        "        if False:",
    ),
    Defect(
        "long-headers-are-refused",
        25,
        "the header of a sidecar is bounded as that of anybody, so a message with much metadata blocks its topic",
        (
            Change(
                "choreography.web.http_limits",
                "self.sidecar_header_bytes if self.url.startswith(_FROM_THE_SIDECAR) else",
                "",
            ),
        ),
        ("tests/unit/web/test_http_limits.py",),
    ),
    Defect(
        "unreadable-reminder-for-ever",
        29,
        "a reminder that nobody can read is asked again for ever",
        (
            Change(
                "choreography.web.looking_after",
                "        aside = [*unreadable, *spoilt]",
                "        aside = spoilt",
            ),
        ),
        ("tests/unit/web/test_looking_after.py",),
    ),
)
