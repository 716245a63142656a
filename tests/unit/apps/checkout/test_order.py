"""Order follows the events of the other services, and decides nothing alone."""

from datetime import timedelta

import pytest

from apps.checkout.contracts import (
    CancellationRefused,
    CancellationRequested,
    Line,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderEvent,
    PaymentDeclined,
    ShipmentDispatched,
    ShipmentWithheld,
    StockRejected,
)
from apps.checkout.order import CancelOrder, NewLine, NewOrder, Order, ask_to_cancel, order, place
from choreography import Event
from choreography.testing import another, every_order, every_state, given

LINES = (Line(sku="cup", quantity=1, unit_price=500),)
CREATED = OrderCreated(order_id="o1", customer_id="c1", currency="EUR", lines=LINES, total=500)
PLACED = Order(order_id="o1", status="placed", customer_id="c1", currency="EUR", lines=LINES, total=500)
COMPLETED = OrderCompleted(order_id="o1", customer_id="c1")

DISPATCHED = ShipmentDispatched(order_id="o1")
REJECTED = StockRejected(order_id="o1", reason="not enough cup")
DECLINED = PaymentDeclined(order_id="o1", amount=500, currency="EUR", reason="no cover")
WITHHELD = ShipmentWithheld(order_id="o1", reason="too slow")
REQUESTED = CancellationRequested(order_id="o1", reason="too slow")
REFUSED = CancellationRefused(order_id="o1", reason="already dispatched")

REASONS = [(REJECTED, "not enough cup"), (DECLINED, "no cover"), (WITHHELD, "too slow")]
"""What cancels an order, and the reason the customer is told."""


def cancelled(reason: str) -> OrderCancelled:
    """Return the event of a cancelled order."""
    return OrderCancelled(order_id="o1", customer_id="c1", reason=reason, lines=LINES)


def test_what_a_customer_sends_becomes_one_event() -> None:
    """The total is computed here and nowhere else."""
    lines = (NewLine(sku="cup", quantity=2, unit_price=500), NewLine(sku="pot", quantity=1, unit_price=900))
    created = place(NewOrder(customer_id="c1", currency="EUR", lines=lines), "o1")
    assert (created.order_id, created.total) == ("o1", 1900)
    assert [(line.sku, line.quantity, line.unit_price) for line in created.lines] == [("cup", 2, 500), ("pot", 1, 900)]


def test_asking_to_cancel_becomes_a_request() -> None:
    """It is a request and not yet a cancellation."""
    assert ask_to_cancel("o1", CancelOrder(reason="too slow")) == REQUESTED


def test_a_new_order_is_placed_and_has_fifteen_minutes() -> None:
    """The fact: it is followed from now on, and not for ever."""
    given(order).when(CREATED).then(PLACED).then_due("overdue", after=timedelta(minutes=15))


def test_an_order_heard_again_is_the_order_it_was() -> None:
    """The silence: a repeat, and a second event that says the same."""
    given(order, CREATED).when(CREATED, another(CREATED)).then_nothing()


def test_a_dispatched_order_is_completed() -> None:
    """The fact: the parcel has left."""
    given(order, CREATED).when(DISPATCHED).then(PLACED.but(status="completed"), COMPLETED)


@pytest.mark.parametrize(("why", "reason"), REASONS)
def test_an_order_that_cannot_be_is_cancelled(why: Event, reason: str) -> None:
    """The fact: without stock, money or patience there is no order."""
    given(order, CREATED).when(why).then(PLACED.but(status="cancelled", reason=reason), cancelled(reason))


def test_a_dispatch_before_the_order_is_remembered_and_announced_later() -> None:
    """The race: ShipmentDispatched overtakes OrderCreated."""
    given(order).when(DISPATCHED).then(Order(order_id="o1", status="completed"))
    given(order, DISPATCHED).when(CREATED).then(PLACED.but(status="completed"), COMPLETED)


@pytest.mark.parametrize(("why", "reason"), REASONS)
def test_an_end_before_the_order_is_remembered_and_announced_later(why: Event, reason: str) -> None:
    """The race: StockRejected, PaymentDeclined or ShipmentWithheld overtakes OrderCreated."""
    given(order).when(why).then(Order(order_id="o1", status="cancelled", reason=reason))
    given(order, why).when(CREATED).then(PLACED.but(status="cancelled", reason=reason), cancelled(reason))


@pytest.mark.parametrize("end", [DISPATCHED, REJECTED, DECLINED, WITHHELD])
def test_a_late_order_never_overwrites_its_end(end: OrderEvent) -> None:
    """The race that lost an order in a prototype: created arrives, and arrives again, after the end."""
    given(order, end, CREATED).when(CREATED, another(CREATED)).then_nothing()


@pytest.mark.parametrize("end", [DISPATCHED, REJECTED, DECLINED, WITHHELD])
@pytest.mark.parametrize("later", [DISPATCHED, REJECTED, DECLINED, WITHHELD])
def test_the_first_end_is_the_end(end: OrderEvent, later: OrderEvent) -> None:
    """The silence: events after the end change nothing, also both reasons to cancel together."""
    given(order, CREATED, end).when(another(later)).then_nothing()


def test_an_order_both_rejected_and_withheld_is_cancelled_once_in_every_order() -> None:
    """The race: both reasons come, around and before the order itself."""
    for came in every_order(order, (CREATED, REJECTED, WITHHELD)):
        said = [fact for fact in came.facts if isinstance(fact, Event)]
        assert said in ([cancelled("not enough cup")], [cancelled("too slow")])


def test_a_request_is_shown_and_decides_nothing() -> None:
    """The fact: the customer sees that somebody asked."""
    given(order, CREATED).when(REQUESTED).then(PLACED.but(cancellation="asked for"))


def test_a_refused_request_is_shown() -> None:
    """The refusal: it was too late."""
    done = PLACED.but(status="completed")
    given(order, CREATED, DISPATCHED, REQUESTED).when(REFUSED).then(done.but(cancellation="refused"))


def test_a_request_after_its_refusal_says_nothing_new() -> None:
    """The silence: the answer overtook the question."""
    given(order, CREATED, REFUSED).when(REQUESTED).then_nothing()
    given(order, CREATED, REFUSED).when(another(REFUSED)).then_nothing()
    given(order, CREATED, REQUESTED).when(another(REQUESTED)).then_nothing()


def test_an_order_ends_alike_in_whatever_order_it_hears() -> None:
    """The customer sees the same in the end, and it is announced once."""
    for came in every_order(order, (CREATED, DISPATCHED, REQUESTED, REFUSED)):
        came.then(PLACED.but(status="completed", cancellation="refused"), COMPLETED)


def test_an_order_that_has_not_ended_in_time_asks_to_be_cancelled() -> None:
    """The fact: the deadline asks, and shipping decides."""
    given(order, CREATED).when_due("overdue", of=CREATED).then(
        CancellationRequested(order_id="o1", reason="not completed in time")
    )


@pytest.mark.parametrize("end", [DISPATCHED, REJECTED, DECLINED, WITHHELD])
def test_the_deadline_of_an_order_that_has_ended_is_moot(end: OrderEvent) -> None:
    """The silence: the order has ended, or does not exist, so there is nothing to ask for."""
    given(order, CREATED, end).when_due("overdue", of=CREATED).then_nothing()
    given(order).when_due("overdue", of=CREATED).then_nothing()


def test_every_state_of_an_order_has_an_answer() -> None:
    """No pair of state and event is forgotten, and no repeat changes anything."""
    heard = [CREATED, DISPATCHED, REJECTED, DECLINED, WITHHELD, REQUESTED, REFUSED]
    assert every_state(order, heard, PLACED) == 4 * 3 * len(heard)
    # Without its customer an order may have ended all the same: then its end overtook its beginning.
    assert every_state(order, [CREATED, REQUESTED, REFUSED], Order(order_id="o1", reason="too slow")) == 4 * 3 * 3
