"""Looks after accepted commands: if the event of a command has no outcome, it is published again.

The scheduler reminds of every recorded command, and a GET for the subject of a command finds its record. There is no
relay: an event is published before its command is answered. An event that is published again here was lost by the
broker, or is still on its way and will be a repeat.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
import structlog
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from choreography.engine.accepted import CheckedCommands, Recorded
from choreography.engine.accepting import Accepting
from choreography.engine.backlog import Backlog
from choreography.engine.commanding import MOMENT
from choreography.engine.delivery import Delivery
from choreography.engine.envelope import as_moment
from choreography.engine.fate import Fate
from choreography.engine.memory import Failures
from choreography.engine.operations import Unknown
from choreography.engine.records import Outgoing
from choreography.engine.slots import PARTS, Listed
from choreography.runtime.bodies.jobs import LARGEST_JOB, reminded_of
from choreography.runtime.bodies.parts import GoneError, kept, parts_of
from choreography.runtime.driver import Driver
from choreography.sidecar.client import REMINDERS, SidecarClient

_MOST: Final = 20_000
_SLACK: Final = 5.0
"""Seconds by which a scheduler may be late with a reminder."""

log = structlog.get_logger()


class LookingAfter:
    """Answers reminders, and requests for the subject of a command.

    Args:
        backlog: tells which events are probably still on the broker, so that no copies of them are published.
        every: the time from a command to its reminder, and between two reminders.
        intake_open: if False, commands without an outcome count as in hand, as the broker may be about to be left.
        trusts: whether a caller is the service's own sidecar.
        quarantine: takes deliveries that have a problem.
    """

    def __init__(
        self,
        accepting: Accepting,
        driver: Driver,
        sidecar: SidecarClient,
        *,
        backlog: Backlog,
        every: timedelta,
        intake_open: bool,
        trusts: Callable[[Scope], bool],
        quarantine: Callable[[str, Sequence[Delivery]], Awaitable[list[Fate]]],
    ) -> None:
        self._accepting, self._driver, self._sidecar = accepting, driver, sidecar
        self._backlog = backlog
        self._intake_open, self._trusts, self._quarantine = intake_open, trusts, quarantine
        self._failures = Failures()
        self._patience = _Patience(every)
        self._lasts = (every + every / PARTS).total_seconds() + _SLACK
        self._in_hand: dict[str, tuple[int, asyncio.TimerHandle]] = {}

    def begin(self) -> None:
        """If the intake is closed, count the coming reminders as in hand, as this replica cannot know them yet."""
        if not self._intake_open:
            self._count("reminders to come", 1)

    def serves(self, path: str) -> bool:
        """Tell whether a job is a reminder."""
        return path.startswith(f"/job/{REMINDERS}")

    async def remind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a reminder. Only 200 ends it; after any other status the scheduler repeats it."""
        if not self._trusts(scope):
            answer = JSONResponse({"detail": "Only this service's own sidecar may remind it of commands."}, 401)
            await answer(scope, receive, send)
            return
        try:
            body = await kept(parts_of(receive), LARGEST_JOB)
        except GoneError:
            return
        left = await self._look_after(scope["path"].removeprefix(f"/job/{REMINDERS}"), reminded_of(body))
        if not self._intake_open:
            self._count(scope["path"], left)
        await JSONResponse({"without_outcome": left}, 500 if left else 200)(scope, receive, send)

    async def accepted(self, subject: str) -> bool | None:
        """Tell whether a command about a subject that does not exist yet was accepted; None if that is unknown.

        The event of such a command is published again, if it had time to arrive.
        """
        recorded: list[Recorded] | Unknown | None = await self._driver.drive(self._accepting.about(subject), "")
        if isinstance(recorded, Unknown):
            return None
        if recorded:
            await self._publish([one.outgoing for one in recorded], datetime.now(UTC))
        return recorded is not None

    async def _look_after(self, slot: str, first: Sequence[Delivery]) -> int:
        """Look for the outcomes of all commands of a slot; return how many must be checked again."""
        listed: Listed = await self._driver.drive(self._accepting.listed(slot), "")
        others = [one for text in listed.rows.values() for one in reminded_of(text.encode("utf-8", "replace"))]
        left = await self._look([*first, *others], datetime.now(UTC))
        if left or not listed.complete:
            return left + (not listed.complete)
        gone: bool = await self._driver.drive(self._accepting.forget(listed), "")
        return 0 if gone else 1

    async def _look(self, reminded: Sequence[Delivery], now: datetime) -> int:
        """Look for the outcomes of commands; return how many must be checked again."""
        unreadable = [one for one in reminded if one.envelope is None]
        readable = [one for one in reminded if one.envelope is not None]
        checked: CheckedCommands = await self._driver.drive(self._accepting.check(readable, now), "")
        for event_id, problem in checked.problems.items():
            log.error("nobody can tell whether an accepted command was settled", event_id=event_id, exc_info=problem)
        await self._publish(checked.lost, now)
        by_text = {one.raw: one for one in readable}
        spoilt = [
            _spoilt(by_text[text], checked.problems[event_id], self._failures.most)
            for event_id, text in checked.spoilt.items()
            if self._failures.enough(event_id, checked.problems[event_id])
        ]
        aside = [*unreadable, *spoilt]
        fates = await self._quarantine("", aside) if aside else []
        return checked.left + len(unreadable) - sum(fate.done for fate in fates)

    async def _publish(self, lost: Sequence[Outgoing], now: datetime) -> None:
        topics: dict[str, list[Outgoing]] = {}
        ids: dict[str, str] = {}
        for event in lost:
            told = orjson.loads(event.encoded)
            at = as_moment(told["time"])
            if self._patience.ends(told["id"], at, now) and not self._backlog.holds(at, now):
                # Noted before the event is published, as concurrent requests look for the same event.
                self._patience.begin(told["id"], now)
                ids[event.encoded] = told["id"]
                topics.setdefault(event.topic, []).append(event)
        for events in topics.values():
            failed = await self._sidecar.publish(events)
            for index in failed:
                self._patience.forget(ids[events[index].encoded])
            if len(failed) < len(events):
                said = len(events) - len(failed)
                self._driver.metrics.commands_again.inc(said)
                log.warning("accepted commands had no outcome and were published again", commands=said)

    def _count(self, name: str, commands: int) -> None:
        """Count commands as in hand until their next reminder is overdue: another replica may get the reminder."""
        if name in self._in_hand:
            earlier, overdue = self._in_hand.pop(name)
            overdue.cancel()
            self._driver.metrics.in_hand.dec(earlier)
        self._driver.metrics.in_hand.inc(commands)
        if commands:
            again = asyncio.get_running_loop().call_later(self._lasts, self._count, name, 0)
            self._in_hand[name] = (commands, again)


class _Patience:
    """When an event may be published again: after the time of a normal delivery, and then ever more rarely.

    A consumer that is far behind will still get all of the earlier copies, and more copies would make it slower.
    """

    def __init__(self, every: timedelta) -> None:
        self._every, self._young = every, min(every, MOMENT)
        self._said: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def ends(self, event_id: str, at: datetime, now: datetime) -> bool:
        """Tell whether it is time to publish an event of that time again."""
        times, last = self._said.get(event_id, (0, at))
        # Half of the time between two reminders is subtracted, so that no reminder comes a moment too early.
        return now - last >= (self._every * (2 ** (times - 1) - 0.5) if times else self._young)

    def begin(self, event_id: str, now: datetime) -> None:
        """Note that an event is published again."""
        times, _ = self._said.pop(event_id, (0, now))
        self._said[event_id] = (times + 1, now)
        if len(self._said) > _MOST:
            self._said.popitem(last=False)

    def forget(self, event_id: str) -> None:
        """Forget an event that the broker did not take: it was not published."""
        self._said.pop(event_id, None)


def _spoilt(delivery: Delivery, problem: Exception, times: int) -> Delivery:
    """Return a command's event with the reason to quarantine it."""
    reason = (
        f"Nobody can tell whether this accepted command was settled: what the store holds about it could not be read "
        f"{times} times in the same way ({type(problem).__name__}: {problem}). Mend the record, then replay this event."
    )
    return delivery._replace(identity=f"{delivery.identity}~failing", problem=reason)
