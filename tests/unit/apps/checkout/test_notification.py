"""Notification tells the customer once how the order ended."""

from apps.checkout.contracts import Line, OrderCancelled, OrderCompleted
from apps.checkout.notification import Notice, notification
from choreography.testing import another, every_state, given

COMPLETED = OrderCompleted(order_id="o1", customer_id="c1")
CANCELLED = OrderCancelled(
    order_id="o1", customer_id="c1", reason="not enough cup", lines=(Line(sku="cup", quantity=1, unit_price=500),)
)


def test_a_completed_order_is_told() -> None:
    """The fact: the parcel is on its way."""
    given(notification).when(COMPLETED).then(Notice(order_id="o1", customer_id="c1", told="completed"))


def test_a_cancelled_order_is_told_with_its_reason() -> None:
    """The refusal: the message says that the parcel will not come, and why."""
    given(notification).when(CANCELLED).then(
        Notice(order_id="o1", customer_id="c1", told="cancelled", reason="not enough cup")
    )


def test_a_customer_is_told_once() -> None:
    """The silence: the customer gets no second message, and none that contradicts the first."""
    given(notification, COMPLETED).when(COMPLETED, another(COMPLETED), CANCELLED).then_nothing()
    given(notification, CANCELLED).when(CANCELLED, another(CANCELLED), COMPLETED).then_nothing()


def test_every_state_of_a_notice_has_an_answer() -> None:
    """No pair of state and event is forgotten, and no repeat changes anything."""
    assert every_state(notification, [COMPLETED, CANCELLED], Notice(order_id="o1")) == 6
