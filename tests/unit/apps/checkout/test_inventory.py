"""Inventory reserves stock for every line of an order or for none, and releases it."""

from collections.abc import Sequence

import pytest

from apps.checkout.contracts import (
    Line,
    OrderCancelled,
    OrderCreated,
    StockAdded,
    StockRejected,
    StockReleased,
    StockReserved,
)
from apps.checkout.inventory import NewStock, Reservation, Shelf, add, inventory
from choreography.testing import another, every_order, every_state, given

CUP = Line(sku="cup", quantity=1, unit_price=500)
TWO_POTS = Line(sku="pot", quantity=2, unit_price=900)


def created(*lines: Line, order_id: str = "o1") -> OrderCreated:
    """Return an order of these lines."""
    total = sum(line.quantity * line.unit_price for line in lines)
    return OrderCreated(order_id=order_id, customer_id="c1", currency="EUR", lines=lines, total=total)


def cancelled(*lines: Line) -> OrderCancelled:
    """Return the cancellation of an order of these lines."""
    return OrderCancelled(order_id="o1", customer_id="c1", reason="too slow", lines=lines)


def test_new_goods_are_put_on_their_shelf() -> None:
    """The fact: the counter grows."""
    given(inventory, Shelf(sku="cup", available=2)).when(StockAdded(sku="cup", quantity=3)).then(
        Shelf(sku="cup", available=5)
    )


def test_goods_that_are_delivered_twice_count_once_and_goods_that_come_twice_count_twice() -> None:
    """A repeat changes nothing, but another event with the same content counts."""
    three = StockAdded(sku="cup", quantity=3)
    given(inventory, three).when(three).then_nothing()
    given(inventory, three).when(another(three)).then(Shelf(sku="cup", available=6))


def test_the_command_puts_goods_on_the_shelf_it_names() -> None:
    """The request of the warehouse becomes one event."""
    assert add(NewStock(sku="cup", quantity=3)) == StockAdded(sku="cup", quantity=3)


def test_a_full_shelf_is_reserved() -> None:
    """The fact: the ordered quantity moves from available to taken."""
    given(inventory, Shelf(sku="cup", available=2)).when(created(CUP)).then(
        Reservation(order_id="o1", status="held"),
        Shelf(sku="cup", available=1, taken=1),
        StockReserved(order_id="o1"),
    )


def test_an_empty_shelf_is_refused() -> None:
    """The refusal: the shelf never held this product."""
    given(inventory).when(created(CUP)).then(
        Reservation(order_id="o1", status="rejected"), StockRejected(order_id="o1", reason="not enough cup")
    )


def test_an_order_heard_again_takes_nothing_more() -> None:
    """The silence: the order already has its stock, whether the event is a repeat or another one."""
    full = Shelf(sku="cup", available=2)
    given(inventory, full, created(CUP)).when(another(created(CUP))).then_nothing()
    given(inventory, full).when(created(CUP), created(CUP)).then(
        Reservation(order_id="o1", status="held"),
        Shelf(sku="cup", available=1, taken=1),
        StockReserved(order_id="o1"),
    )


def test_one_short_line_leaves_every_shelf_alone() -> None:
    """All lines or none."""
    given(inventory, Shelf(sku="cup", available=9), Shelf(sku="pot", available=1)).when(created(CUP, TWO_POTS)).then(
        Reservation(order_id="o1", status="rejected"), StockRejected(order_id="o1", reason="not enough pot")
    )


def test_all_lines_are_taken_together() -> None:
    """All lines or none, the other way."""
    given(inventory, Shelf(sku="cup", available=9), Shelf(sku="pot", available=2)).when(created(CUP, TWO_POTS)).then(
        Reservation(order_id="o1", status="held"),
        Shelf(sku="cup", available=8, taken=1),
        Shelf(sku="pot", available=0, taken=2),
        StockReserved(order_id="o1"),
    )


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        pytest.param(
            3,
            (
                Reservation(order_id="o1", status="held"),
                Shelf(sku="cup", available=0, taken=3),
                StockReserved(order_id="o1"),
            ),
            id="enough for both lines",
        ),
        pytest.param(
            2,
            (Reservation(order_id="o1", status="rejected"), StockRejected(order_id="o1", reason="not enough cup")),
            id="enough for each line alone",
        ),
    ],
)
def test_lines_of_one_product_are_added_up(
    available: int, expected: tuple[Reservation | Shelf | StockReserved | StockRejected, ...]
) -> None:
    """Two lines of one product reserve it twice, or not at all."""
    two_cups = CUP.model_copy(update={"quantity": 2})
    given(inventory, Shelf(sku="cup", available=available)).when(created(CUP, two_cups)).then(*expected)


def test_lines_of_one_product_are_given_back_added_up() -> None:
    """Stock that was taken for two lines comes back for both."""
    two_cups = CUP.model_copy(update={"quantity": 2})
    given(inventory, Shelf(sku="cup", available=3), created(CUP, two_cups)).when(cancelled(CUP, two_cups)).then(
        Reservation(order_id="o1", status="released"),
        Shelf(sku="cup", available=3, taken=0),
        StockReleased(order_id="o1"),
    )


def test_the_last_cup_goes_to_one_of_two_orders() -> None:
    """The second order finds the shelf empty."""
    given(inventory, Shelf(sku="cup", available=1), created(CUP)).when(created(CUP, order_id="o2")).then(
        Reservation(order_id="o2", status="rejected"), StockRejected(order_id="o2", reason="not enough cup")
    )


def test_a_cancelled_order_gives_back_what_it_took() -> None:
    """The fact: taken becomes available again."""
    given(inventory, Shelf(sku="cup", available=1), created(CUP)).when(cancelled(CUP)).then(
        Reservation(order_id="o1", status="released"), Shelf(sku="cup", available=1), StockReleased(order_id="o1")
    )


@pytest.mark.parametrize("before", ["rejected", "released", "cancelled"])
def test_a_cancelled_order_that_holds_nothing_gives_nothing_back(before: str) -> None:
    """The silence: nothing was taken, or it is back already."""
    reservation = Reservation(order_id="o1").but(status=before)
    given(inventory, reservation, Shelf(sku="cup", available=1)).when(cancelled(CUP)).then_nothing()


def test_giving_back_what_was_never_taken_is_set_aside() -> None:
    """The refusal: a cancellation with other lines than the order would invent stock, so a person must look."""
    given(inventory, Shelf(sku="cup", available=1), created(CUP)).when(cancelled(TWO_POTS)).then_quarantined("taken")


def test_a_cancellation_that_overtakes_its_order_leaves_nothing_to_take() -> None:
    """The race: cancelled first, then created, and the shelf stays as it was."""
    full = Shelf(sku="cup", available=2)
    given(inventory, full).when(cancelled(CUP)).then(Reservation(order_id="o1", status="cancelled"))
    given(inventory, full, cancelled(CUP)).when(created(CUP)).then_nothing()


def test_in_every_order_a_cancelled_order_leaves_the_shelf_as_it_was() -> None:
    """In every order of events, all delivered stock is available afterwards."""
    heard: Sequence[OrderCreated | OrderCancelled | StockAdded] = (
        StockAdded(sku="cup", quantity=1),
        created(CUP),
        cancelled(CUP),
    )
    for came in every_order(inventory, heard):
        assert Shelf(sku="cup", available=1, taken=0) in came.facts


def test_every_state_of_a_reservation_has_an_answer() -> None:
    """No pair of state and event is forgotten, and no repeat changes anything."""
    heard = [created(CUP), cancelled(CUP), StockAdded(sku="cup", quantity=1)]
    assert every_state(inventory, heard, Reservation(order_id="o1"), Shelf(sku="cup", available=5, taken=5)) == 15
