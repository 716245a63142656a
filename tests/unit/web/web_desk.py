"""A replica as far as the web side needs it, over the store of a world in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import orjson
from prometheus_client import generate_latest

from choreography.engine.accepting import Accepting
from choreography.engine.backlog import Backlog
from choreography.engine.commanding import Accepted, Commanding
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.fate import Fate
from choreography.engine.identity import Key
from choreography.engine.operations import Limits, Stored
from choreography.engine.records import Outgoing
from choreography.runtime.driver import Driver
from choreography.sidecar.client import REMINDERS, SidecarClient
from choreography.telemetry import Metrics
from choreography.web.command_lane import CommandLane
from choreography.web.looking_after import LookingAfter
from tests.unit.engine.replica import NOON, Replica, World
from tests.unit.engine.toy import NewBox, Opened, desk

EVERY = timedelta(seconds=30)


class Desk:
    """The store of a world, and a broker that notes what it is given.

    Attributes:
        refuses: whether the broker takes nothing.
    """

    def __init__(self, *, intake_open: bool = True, slot_lasts: timedelta = timedelta(0)) -> None:
        self.world, self.metrics, self.said = World(desk), Metrics("desk"), list[str]()
        self.calls: list[int] = []
        self.traces = set[str]()
        self.refuses = False
        self.commanding = Commanding(desk)
        self.accepting = Accepting(desk, Limits(), slot_lasts=slot_lasts)
        driver, sidecar = cast("Driver", self), cast("SidecarClient", self)
        self.backlog = Backlog("desk", [Opened.wire_type], EVERY)
        self.looking_after = LookingAfter(
            self.accepting,
            driver,
            sidecar,
            backlog=self.backlog,
            every=EVERY,
            intake_open=intake_open,
            trusts=lambda scope: scope["trusted"],
            quarantine=self.quarantine,
        )
        self.lane = CommandLane(self.accepting, driver, sidecar, reminder=EVERY)

    async def drive(self, engine: Generator[Any, Any, Any], trace: str) -> Any:
        """Read from the world's store and write to it. What is said goes by its own way."""
        self.traces.add(trace)
        before = self.world.broker.texts()
        answer = Replica(self.world).drive(engine)
        assert self.world.broker.texts() == before
        return answer

    async def quarantine(self, topic: str, deliveries: Sequence[Delivery]) -> list[Fate]:
        """Take deliveries as the intake does."""
        assert topic == ""
        return [one.fate for one in Replica(self.world).settle(*deliveries)]

    async def publish(self, events: Sequence[Outgoing], trace: str = "") -> frozenset[int]:
        """Record the published events."""
        self.traces.add(trace)
        self.calls.append(len(events))
        await asyncio.sleep(0)
        if self.refuses:
            return frozenset(range(len(events)))
        self.said += [event.encoded for event in events]
        return frozenset()

    def asked(self, key: str, trace: str = "", owner: str = "ann", at: datetime = NOON) -> Accepted:
        """Return the event of a request with this key."""
        event_id = self.commanding.event_id("caller", "POST /boxes", key)
        event = self.commanding.event(desk.commands[0], event_id, {"new": NewBox(owner=owner)})
        return self.commanding.accept(event, event_id, at, trace)

    def accept(self, key: str, at: datetime = NOON) -> Accepted:
        """Record one command, whose event is lost."""
        accepted = self.asked(key, at=at)
        Replica(self.world).drive(self.accepting.accept([accepted], NOON))
        return accepted

    async def remind(
        self, *commands: Accepted, body: bytes | None = None, slot: str = "1", trusted: bool = True
    ) -> int:
        """Fire the job that reminds of some commands; return the status of the answer."""
        told = orjson.dumps({"commands": [one.outgoing.encoded for one in commands]}) if body is None else body
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": told, "more_body": False}

        async def send(message: Any) -> None:
            statuses.append(message.get("status", 0))

        scope = {"type": "http", "method": "POST", "path": f"/job/{REMINDERS}{slot}", "headers": [], "trusted": trusted}
        await self.looking_after.remind(scope, receive, send)
        return statuses[0]

    def spoil(self, accepted: Accepted) -> None:
        """Replace the record of the command's box by garbage."""
        self.world.store.rows[str(Key("desk", "box", accepted.envelope.subject))] = Stored("not a record", "1")

    def mend(self, accepted: Accepted) -> None:
        """Remove the garbage again."""
        del self.world.store.rows[str(Key("desk", "box", accepted.envelope.subject))]

    def settle(self, accepted: Accepted) -> None:
        """Let the event arrive."""
        Replica(self.world).deliver(read_delivery(accepted.outgoing.encoded.encode()))

    def handled(self, accepted: Accepted, at: datetime) -> None:
        """Let the event arrive at that moment, at the replica that gets other commands' reminders."""
        delivery = read_delivery(accepted.outgoing.encoded.encode())
        self.backlog.ended([delivery], [one.fate for one in Replica(self.world).settle(delivery)], at)

    @property
    def in_hand(self) -> float:
        """Return the work in hand that the replica's metrics page reports."""
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return float(next(line for line in lines if line.startswith("choreography_in_hand{")).rpartition(" ")[2])
