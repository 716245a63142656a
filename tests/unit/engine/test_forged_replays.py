"""The right to ask for a replay is no right to invent an event."""

from __future__ import annotations

from apps.checkout.billing import CardCharged, billing
from apps.checkout.contracts import Line, OrderCreated
from apps.checkout.payment import Payment
from tests.unit.engine.events import came, replay, state_of, wire
from tests.unit.engine.replica import Replica, World, said

CREATED = OrderCreated(
    order_id="o1", customer_id="c1", currency="EUR", lines=(Line(sku="s", quantity=1, unit_price=5),), total=5
)


def test_a_replay_of_an_answer_nobody_gave_runs_nothing() -> None:
    """Rules 16 and 18: it could claim a charge that the provider never made."""
    world = World(billing)
    Replica(world).settle(came(CREATED, "e1"))
    told = wire(CREATED, "made-up") | {"type": CardCharged.wire_type, "source": "billing"}
    forged = told | {"data": {"order_id": "o1", "charge_id": "forged"}}
    Replica(world).control(replay("r1", forged, service="billing"))
    payment = state_of(world, Payment, "o1")
    assert isinstance(payment, Payment)
    assert payment.status == "charging"
    assert [said(text)["event_id"] for text in world.broker.texts()] == ["r1~made-up"]
