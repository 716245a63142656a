"""Accepted commands whose broker is not believed: said again until they have an outcome, and in hand until then."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import timedelta
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
from choreography.web.looking_after import LookingAfter
from tests.unit.engine.replica import NOON, Replica, World
from tests.unit.engine.toy import NewBox, desk

LATER = NOON + timedelta(seconds=11)


class Desk:
    """A replica as far as looking after needs it: the store of a world, and a broker that notes what it is given."""

    def __init__(self) -> None:
        self.world, self.metrics, self.said = World(desk), Metrics("desk"), list[str]()
        self.commanding = Commanding(desk, Limits())
        self.looking_after = LookingAfter(self.commanding, cast("Driver", self), cast("Sidecar", self))

    async def drive(self, engine: Generator[Any, Any, Any], _: str) -> Any:
        """Read from the world's store. Looking must change nothing there, and publishes by its own way."""
        before = (len(self.world.store.tried), self.world.broker.texts())
        answer = Replica(self.world).drive(engine)
        assert (len(self.world.store.tried), self.world.broker.texts()) == before
        return answer

    async def publish(self, events: Sequence[Outgoing]) -> frozenset[int]:
        """Confirm, as such a broker does, whether it keeps them or not."""
        self.said += [event.encoded for event in events]
        return frozenset()

    def accept(self, key: str) -> Accepted:
        """Accept one command, and look after it."""
        event_id = self.commanding.event_id("caller", "POST /boxes", key)
        event = self.commanding.event(desk.commands[0], event_id, {"new": NewBox(owner="ann")})
        accepted = self.commanding.accept(event, event_id, NOON, "")
        self.looking_after.add(accepted)
        return accepted

    def settle(self, accepted: Accepted) -> None:
        """Let the event arrive."""
        Replica(self.world).deliver(read_delivery(accepted.outgoing.encoded.encode()))

    @property
    def in_hand(self) -> float:
        """What the replica says it has in hand, as its metrics page tells it."""
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return float(next(line for line in lines if line.startswith("choreography_in_hand{")).rpartition(" ")[2])


async def test_an_accepted_command_without_an_outcome_is_said_again_to_the_byte() -> None:
    """As often as it takes; one that has an outcome is not."""
    stage = Desk()
    lost, settled = stage.accept("k1"), stage.accept("k2")
    stage.settle(settled)
    assert [await stage.looking_after.look(LATER) for _ in range(2)] == [1, 1]
    assert stage.said == [lost.outgoing.encoded] * 2


async def test_nobody_is_hurried() -> None:
    """What was accepted a moment ago is still on its way."""
    stage = Desk()
    stage.accept("k1")
    assert await stage.looking_after.look(NOON + timedelta(seconds=9)) == 0


async def test_what_is_looked_after_is_in_hand_until_it_has_an_outcome() -> None:
    """A drain that did not count it would exchange a broker from which it had yet to be saved."""
    stage = Desk()
    first, _ = stage.accept("k1"), stage.accept("k2")
    stage.looking_after.add(first)
    assert stage.in_hand == 2
    stage.settle(first)
    await stage.looking_after.look(LATER)
    assert stage.in_hand == 1


async def test_a_record_that_cannot_be_read_holds_up_no_other_command() -> None:
    """It stays in hand, as nobody can tell whether its event was settled; whoever drains is to hear of it."""
    stage = Desk()
    broken, lost, settled = (stage.accept(key) for key in ("k1", "k2", "k3"))
    stage.settle(settled)
    key = store_key("desk", "box", broken.envelope.subject)
    stage.world.store.rows[key] = Stored("not a record", "1")
    assert await stage.looking_after.look(LATER) == 1
    assert stage.said == [lost.outgoing.encoded]
    assert stage.in_hand == 2
