"""Defects in how accepted commands are stored, found again and deleted."""

from __future__ import annotations

from typing import Final

from faults.defects.seeding import Change, Defect, in_engine


def _web(name: str, rule: int, does: str, module: str, *text: str) -> Defect:
    tests = ("tests/unit/web/test_looking_after.py", "tests/unit/web/test_accepted.py")
    return Defect(name, rule, does, (Change(f"choreography.{module}", *text),), tests)


ACCEPTING: Final = (
    in_engine(
        "command-not-recorded",
        30,
        "an accepted command is on the broker only, and lost with what the broker loses",
        "accepting",
        "        writes.setdefault(one.record_key, Write(one.record_key, one.recorded.encode(), None, ttl))",
        "        del ttl",
    ),
    in_engine(
        "command-recorded-over-another",
        17,
        "of two bodies under one key, at two replicas at one moment, both are accepted",
        "accepting",
        "Write(one.record_key, one.recorded.encode(), None, ttl))",
        'Write(one.record_key, one.recorded.encode(), "*", ttl))',
    ),
    in_engine(
        "command-recorded-without-a-reminder",
        30,
        "a command is accepted although no scheduler will ever ask what became of it",
        "accepting",
        "            if not left or not reminded:",
        "            if not left:",
    ),
    in_engine(
        "command-not-listed-in-its-slot",
        30,
        "of the commands that share a reminder only the first ones are ever looked for",
        "accepting",
        "Commit(_sorted(*writes, listing))",
        "Commit(_sorted(*writes))",
    ),
    in_engine(
        "end-of-slot-believed",
        5,
        "a store that does not answer ends the reminder of commands that it was about to list",
        "slots",
        "            listed.complete = stored is None",
        "            listed.complete = True",
    ),
    _web(
        "slot-kept",
        30,
        "the rows of a slot outlive its commands, so the store grows with the number of commands",
        "web.looking_after",
        'gone: bool = await self._driver.drive(self._accepting.forget(listed), "")',
        "gone = True",
    ),
    in_engine(
        "settled-command-kept",
        30,
        "the record of a command outlives the outcome of its event, so the store grows with the number of commands",
        "deciding",
        "        working.put(Write.deletion(accepted_key(self.service.name, envelope.id)))",
        "        pass",
    ),
    in_engine(
        "twin-deletes-the-record",
        1,
        "an event that took the id of a command's event deletes the record of that command",
        "deciding",
        "        twin = plan._replace(commanded=False)",
        "        twin = plan",
    ),
    in_engine(
        "absent-record-believed",
        5,
        "a bulk get that shows nothing ends the last reminder of a lost command",
        "accepting",
        "kept: OperationResult = read.found.get(one.record_key) or (yield Confirm(one.record_key))",
        "kept: OperationResult = read.found.get(one.record_key)",
    ),
    in_engine(
        "quarantined-command-denied",
        30,
        "whoever asks for an order that was quarantined is told that there never was one",
        "accepting",
        "            struck.strike(one, read, about=not earlier.quarantined)",
        "            struck.strike(one, read, about=True)",
    ),
    _web(
        "lost-command-not-published",
        30,
        "a reminder finds a lost command and says nothing",
        "web.looking_after",
        "        await self._publish(checked.lost, now)",
        "        pass",
    ),
    _web(
        "reminder-ends-at-once",
        30,
        "the scheduler is told that all is settled while a command has no outcome",
        "web.looking_after",
        "500 if left else 200)",
        "200)",
    ),
    _web(
        "accepted-order-denied",
        30,
        "only the replica that accepted an order knows of it until it is settled",
        "web.looking_after",
        "        return recorded is not None",
        "        return False",
    ),
    _web(
        "lost-command-said-at-every-reminder",
        13,
        "a consumer that is far behind is given a copy of everything twice a minute",
        "web.looking_after",
        "(self._every * (2 ** (times - 1) - 0.5) if times else self._young)",
        "self._young",
    ),
)
