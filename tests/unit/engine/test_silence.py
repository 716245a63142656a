"""A reaction without output depends on the state it saw as much as one with output."""

# ruff: noqa: ARG001 - a parameter says what a reaction hears

from __future__ import annotations

import pytest

from choreography import Decision, Entity, Event, Id, Service, nothing
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.envelope import Envelope
from choreography.engine.operations import Commit, Limits
from tests.unit.engine.replica import NOON, Replica, World


class Left(Entity, key="left_id"):
    """One side."""

    left_id: Id
    there: bool = False


class Right(Entity, key="right_id"):
    """The other side."""

    right_id: Id
    there: bool = False


class LeftCame(Event, owner="street", subject="left_id", type="left.came.v1"):
    """One side is there."""

    left_id: Id


class RightCame(Event, owner="street", subject="right_id", type="right.came.v1"):
    """The other side is there."""

    right_id: Id


class Asked(Event, owner="street", subject="left_id", type="pair.asked-for.v1"):
    """Somebody wants to know whether both are."""

    left_id: Id
    right_id: Id


class Both(Event, owner="pair", subject="left_id", type="pair.complete.v1"):
    """They are."""

    left_id: Id


pair = Service("pair", publishes=[Both])


@pair.on(LeftCame)
def left_came(left: Left, came: LeftCame) -> Decision[Left]:
    """Note it."""
    return left.but(there=True)


@pair.on(RightCame)
def right_came(right: Right, came: RightCame) -> Decision[Right]:
    """Note it."""
    return right.but(there=True)


@pair.on(Asked)
def asked(left: Left, right: Right, asked: Asked) -> Decision[Both]:
    """Speak only if both are there."""
    return Both(left_id=left.left_id) if left.there and right.there else nothing


def came(said: Event, event_id: str) -> Delivery:
    """Return an event as it is delivered."""
    data = said.model_dump(mode="json")
    envelope = Envelope(event_id, said.wire_type, "street", said.subject, NOON, "flow", "", "", data)
    return read_delivery(envelope.encode().encode())


@pytest.mark.parametrize("snapshot_reads", [False, True])
def test_silence_after_a_change_of_the_same_batch_is_guarded(*, snapshot_reads: bool) -> None:
    """Rule 6: it saw its batch's changes and a record that another replica changes: one of the two speaks."""
    world = World(pair, limits=Limits(snapshot_reads=snapshot_reads))
    one, two = Replica(world), Replica(world)
    question = Asked(left_id="l", right_id="r")
    steps = one.settling([came(LeftCame(left_id="l"), "left"), came(question, "first")])
    for step in steps:
        if isinstance(step, Commit):
            break
    two.deliver(came(RightCame(right_id="r"), "right"))
    two.deliver(came(question, "second"))
    for _ in steps:
        pass
    first, second = world.store.outcome("first"), world.store.outcome("second")
    assert first is not None
    assert second is not None
    assert len(first.events) + len(second.events) == 1
