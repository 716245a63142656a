"""Shipping waits for stock and money, and is the point of no return."""

import pytest

from apps.checkout.contracts import (
    CancellationRefused,
    CancellationRequested,
    PaymentCharged,
    PaymentRefunded,
    ShipmentDispatched,
    ShipmentWithheld,
    StockReleased,
    StockReserved,
)
from apps.checkout.shipping import Shipment, shipping
from choreography.testing import another, every_order, every_state, given

RESERVED = StockReserved(order_id="o1")
PAID = PaymentCharged(order_id="o1", amount=500, currency="EUR")
RELEASED = StockReleased(order_id="o1")
REFUNDED = PaymentRefunded(order_id="o1", amount=500, currency="EUR")
REQUEST = CancellationRequested(order_id="o1", reason="too slow")

DISPATCHED = Shipment(order_id="o1", status="dispatched")
WITHHELD = Shipment(order_id="o1", status="withheld")


@pytest.mark.parametrize(("first", "last"), [(RESERVED, PAID), (PAID, RESERVED)])
def test_reserved_and_paid_in_either_order_is_dispatched(
    first: StockReserved | PaymentCharged, last: StockReserved | PaymentCharged
) -> None:
    """The fact: the second of the two events sends the parcel."""
    given(shipping, first).when(last).then(DISPATCHED, ShipmentDispatched(order_id="o1"))


@pytest.mark.parametrize("only", [RESERVED, PAID])
def test_one_of_both_is_not_enough(only: StockReserved | PaymentCharged) -> None:
    """The silence: it waits, however often the same event comes."""
    given(shipping).when(only, only, another(only)).then_nothing()


def test_both_of_different_orders_is_not_enough() -> None:
    """The silence: each order waits for its own."""
    given(shipping, RESERVED).when(PaymentCharged(order_id="o2", amount=500, currency="EUR")).then_nothing()


def test_the_parcel_leaves_once_however_often_both_are_heard() -> None:
    """The silence: neither repeats nor second events send another parcel."""
    given(shipping, RESERVED, PAID).when(RESERVED, PAID, another(RESERVED), another(PAID)).then_nothing()
    for came in every_order(shipping, (RESERVED, PAID)):
        came.then(DISPATCHED, ShipmentDispatched(order_id="o1"))


def test_a_second_charge_of_another_amount_is_set_aside() -> None:
    """The refusal: two events claim to be the one payment, and only a person can tell which is."""
    other = PaymentCharged(order_id="o1", amount=501, currency="EUR")
    given(shipping, PAID).when(other).then_quarantined("Only a person can tell")
    given(shipping, PAID, RESERVED).when(other).then_quarantined("Only a person can tell")


def test_a_request_in_time_withholds_the_parcel() -> None:
    """The fact: nothing has left yet."""
    withheld = ShipmentWithheld(order_id="o1", reason="too slow")
    given(shipping).when(REQUEST).then(WITHHELD, withheld)
    given(shipping, RESERVED).when(REQUEST).then(WITHHELD, withheld)


def test_a_request_after_the_parcel_left_is_refused() -> None:
    """The refusal: too late."""
    given(shipping, RESERVED, PAID).when(REQUEST).then(CancellationRefused(order_id="o1", reason="already dispatched"))


def test_a_second_request_says_nothing_new() -> None:
    """The silence: the parcel is withheld already, as when customer and deadline both ask."""
    given(shipping, REQUEST).when(REQUEST, another(REQUEST)).then_nothing()


def test_what_is_withheld_is_never_dispatched() -> None:
    """The silence: stock and money come too late."""
    given(shipping, REQUEST).when(RESERVED, PAID).then_nothing()
    given(shipping, RESERVED, REQUEST).when(PAID).then_nothing()


@pytest.mark.parametrize(
    ("had", "undone", "other"), [(RESERVED, RELEASED, PAID), (PAID, REFUNDED, RESERVED)], ids=["released", "refunded"]
)
def test_what_was_taken_back_does_not_count(
    had: StockReserved | PaymentCharged,
    undone: StockReleased | PaymentRefunded,
    other: StockReserved | PaymentCharged,
) -> None:
    """A parcel never leaves on stock that is back on its shelf, or on money that is back with the customer."""
    given(shipping, had, undone).when(other).then_nothing()
    given(shipping, other, had).when(undone).then_nothing()


@pytest.mark.parametrize(
    ("had", "undone", "other"), [(RESERVED, RELEASED, PAID), (PAID, REFUNDED, RESERVED)], ids=["released", "refunded"]
)
def test_taking_back_may_overtake_what_it_takes_back(
    had: StockReserved | PaymentCharged,
    undone: StockReleased | PaymentRefunded,
    other: StockReserved | PaymentCharged,
) -> None:
    """The race: the undoing event comes first, and still nothing is sent."""
    given(shipping).when(undone, had, other).then_nothing()
    given(shipping).when(other, undone, had).then_nothing()


def test_every_state_of_a_shipment_has_an_answer() -> None:
    """No pair of state and event is forgotten, and no repeat changes anything."""
    assert every_state(shipping, [REQUEST, RESERVED, PAID, RELEASED, REFUNDED], Shipment(order_id="o1")) == 15


@pytest.mark.parametrize("shipment", [DISPATCHED, WITHHELD])
def test_both_of_a_shipment_that_is_decided_send_nothing(shipment: Shipment) -> None:
    """The silence: a decision is final, also when the join completes only afterwards."""
    given(shipping, shipment).when(RESERVED, PAID).then_nothing()
