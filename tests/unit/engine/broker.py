"""Models of the outside world: a broker, a scheduler of deadlines, and a provider with idempotency keys."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import orjson

from choreography.engine.records import CommittedIntent, Outgoing, ScheduledDeadline

PublishFault: TypeAlias = Callable[[int], Literal["none", "refused", "accepted, reply lost"]]


@dataclass(slots=True)
class Broker:
    """Records published entries. ``faults`` says what happens to the entries of the next bulk publishes."""

    published: list[Outgoing] = field(default_factory=list)
    calls: list[tuple[Outgoing, ...]] = field(default_factory=list)
    faults: deque[PublishFault] = field(default_factory=deque)

    def publish(self, events: Sequence[Outgoing]) -> frozenset[int]:
        """Return the indices of the entries that are not confirmed."""
        assert len({event.topic for event in events}) == 1, "one bulk publish goes to one topic"
        self.calls.append(tuple(events))
        fault = self.faults.popleft() if self.faults else _accepted
        fates = {index: fault(index) for index in range(len(events))}
        self.published += [event for index, event in enumerate(events) if fates[index] != "refused"]
        return frozenset(index for index, fate in fates.items() if fate != "none")

    def texts(self) -> list[str]:
        """Return every published text in order, repeats included."""
        return [event.encoded for event in self.published]

    def ids(self) -> list[str]:
        """Return every published envelope id in order, repeats included."""
        return [orjson.loads(text)["id"] for text in self.texts()]


def _accepted(_index: int) -> Literal["none"]:
    return "none"


def refused(_index: int) -> Literal["refused"]:
    """Refuse every entry."""
    return "refused"


def reply_lost(_index: int) -> Literal["accepted, reply lost"]:
    """Take every entry and confirm none."""
    return "accepted, reply lost"


@dataclass(slots=True)
class Scheduler:
    """Records deadlines and reminders; ``refusals`` says how many of the next calls fail."""

    deadlines: list[ScheduledDeadline] = field(default_factory=list)
    reminders: list[tuple[str, ...]] = field(default_factory=list)
    slots: list[str] = field(default_factory=list)
    refusals: int = 0

    def schedule(self, deadlines: Sequence[ScheduledDeadline]) -> bool:
        """Return whether all of them are durable."""
        if self.refusals:
            self.refusals -= 1
            return False
        self.deadlines += deadlines
        return True

    def remind(self, slot: str, events: tuple[str, ...]) -> bool:
        """Return whether the reminder of a slot, which holds its first accepted commands, is durable."""
        if self.refusals:
            self.refusals -= 1
            return False
        self.reminders.append(events)
        self.slots.append(slot)
        return True


@dataclass(slots=True)
class Provider:
    """Carries out each key once. ``down`` says how many of the next calls get no reply."""

    done: dict[str, str] = field(default_factory=dict)
    calls: list[CommittedIntent] = field(default_factory=list)
    down: int = 0
    committed: Callable[[CommittedIntent], bool] = lambda _: True

    def call(self, committed: CommittedIntent) -> bool:
        """Carry out the call, unless the provider is down."""
        assert self.committed(committed), "an intent is carried out only after it is committed"
        self.calls.append(committed)
        if self.down:
            self.down -= 1
            return False
        assert self.done.setdefault(committed.key, committed.body) == committed.body, "one key, one request"
        return True
