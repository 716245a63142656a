"""A replica as far as the web side needs it, over the store of a world in memory."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, cast

from prometheus_client import generate_latest

from choreography.engine.commanding import Accepted, Commanding
from choreography.engine.delivery import read_delivery
from choreography.engine.identity import store_key
from choreography.engine.operations import Limits, Stored
from choreography.engine.records import Outgoing
from choreography.sidecar.client import Sidecar
from choreography.sidecar.driver import Driver
from choreography.telemetry import Metrics
from choreography.web.command_lane import CommandLane
from choreography.web.looking_after import LookingAfter
from tests.unit.engine.replica import NOON, Replica, World
from tests.unit.engine.toy import NewBox, desk


class Desk:
    """The store of a world, and a broker that notes what it is given."""

    def __init__(self) -> None:
        self.world, self.metrics, self.said = World(desk), Metrics("desk"), list[str]()
        self.traces = set[str]()
        self.commanding = Commanding(desk, Limits())
        driver, sidecar = cast("Driver", self), cast("Sidecar", self)
        self.looking_after = LookingAfter(self.commanding, driver, sidecar)
        self.lane = CommandLane(self.commanding, driver, sidecar)

    async def drive(self, engine: Generator[Any, Any, Any], trace: str) -> Any:
        """Read from the world's store. Looking must change nothing there, and publishes by its own way."""
        self.traces.add(trace)
        before = (len(self.world.store.tried), self.world.broker.texts())
        answer = Replica(self.world).drive(engine)
        assert (len(self.world.store.tried), self.world.broker.texts()) == before
        return answer

    async def publish(self, events: Sequence[Outgoing], trace: str = "") -> frozenset[int]:
        """Confirm, as such a broker does, whether it keeps them or not."""
        self.traces.add(trace)
        self.said += [event.encoded for event in events]
        return frozenset()

    def asked(self, key: str, trace: str = "") -> Accepted:
        """Return the event that a request with this key becomes."""
        event_id = self.commanding.event_id("caller", "POST /boxes", key)
        event = self.commanding.event(desk.commands[0], event_id, {"new": NewBox(owner="ann")})
        return self.commanding.accept(event, event_id, NOON, trace)

    def accept(self, key: str) -> Accepted:
        """Accept one command, and look after it."""
        accepted = self.asked(key)
        self.looking_after.add(accepted)
        return accepted

    def spoil(self, accepted: Accepted) -> None:
        """Leave something that is no record where the command's box is kept."""
        self.world.store.rows[store_key("desk", "box", accepted.envelope.subject)] = Stored("not a record", "1")

    def settle(self, accepted: Accepted) -> None:
        """Let the event arrive."""
        Replica(self.world).deliver(read_delivery(accepted.outgoing.encoded.encode()))

    @property
    def in_hand(self) -> float:
        """What the replica says it has in hand, as its metrics page tells it."""
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return float(next(line for line in lines if line.startswith("choreography_in_hand{")).rpartition(" ")[2])
