"""The helpers for tests: they fail when they should, and say why in words."""

from datetime import timedelta
from enum import Enum
from typing import Literal

import pytest

from apps.checkout.contracts import Line, OrderCreated, ShipmentDispatched, StockAdded, StockRejected, StockReserved
from apps.checkout.inventory import Reservation, Shelf, inventory
from apps.checkout.order import Order, order
from choreography import Decision, Entity, Event, Id, Service, nothing
from choreography.analysis.examples import choices
from choreography.testing import another, every_order, every_state, given, states_of

LINES = (Line(sku="cup", quantity=1, unit_price=500),)
CREATED = OrderCreated(order_id="o1", customer_id="c1", currency="EUR", lines=LINES, total=500)
ADDED = StockAdded(sku="cup", quantity=1)


class Lit(Event, owner="lamps", subject="lamp", type="lamp.lit.v1"):
    """Somebody lit a lamp."""

    lamp: Id


class Glow(Enum):
    """How a bulb glows."""

    WARM = "warm"
    COLD = "cold"


class Bulb(Entity, key="lamp"):
    """What glows in a lamp."""

    lamp: Id
    glow: Glow = Glow.WARM


class Lamp(Entity, key="lamp"):
    """One lamp."""

    lamp: Id
    status: Literal["dark", "lit", "broken"] = "dark"
    loose: bool = False


lamps = Service("lamps")


@lamps.on(Lit)
def light(lamp: Lamp, lit: Lit) -> Decision:
    """Forget what to do with a broken lamp, put out a loose one, and take a dark one away."""
    match lamp.status:
        case "dark":
            return lamp.gone() if lamp.loose else lamp.but(status="lit")
        case "lit":
            return nothing
        case _:
            raise KeyError(lit.lamp)


def test_what_differs_is_shown_field_by_field() -> None:
    """Missing and unexpected results are shown as well."""
    came = given(inventory, Shelf(sku="cup", available=2)).when(CREATED)
    with pytest.raises(AssertionError) as failure:
        came.then(
            Reservation(order_id="o1", status="held"),
            Shelf(sku="cup", available=2, taken=0),
            StockRejected(order_id="o1", reason="not enough cup"),
        )
    assert str(failure.value).splitlines() == [
        "given inventory",
        "      Shelf(sku='cup', available=2, taken=0)",
        f"when  {CREATED!r}",
        "then",
        "      differs: Shelf 'cup': available is 1, not 2; taken is 1, not 0",
        "      missing: StockRejected(order_id='o1', reason='not enough cup')",
        "      not expected: StockReserved(order_id='o1')",
    ]


def test_silence_is_broken_by_any_fact() -> None:
    """A changed state is a fact like an event."""
    with pytest.raises(AssertionError, match="not expected: Shelf"):
        given(inventory).when(ADDED).then_nothing()


def test_a_quarantine_is_no_decision_and_no_silence() -> None:
    """Its reason is shown."""
    came = given(lamps, Lamp(lamp="l1", status="broken")).when(Lit(lamp="l1"))
    with pytest.raises(AssertionError, match=r"quarantined: KeyError: 'l1' \(tests/unit/test_testing.py, line \d+\)"):
        came.then_nothing()
    came.then_quarantined("KeyError")
    with pytest.raises(AssertionError, match="expected: nothing but a quarantine because of 'TypeError'"):
        came.then_quarantined("TypeError")


def test_a_quarantine_in_the_past_is_no_beginning() -> None:
    """Otherwise a test would begin in another state than it says."""
    with pytest.raises(AssertionError, match="but that was quarantined: KeyError"):
        given(lamps, Lamp(lamp="l1", status="broken"), Lit(lamp="l1"))


def test_what_is_gone_is_a_fact() -> None:
    """An entity that is deleted was there before and is not there afterwards."""
    loose = Lamp(lamp="l1", loose=True)
    given(lamps, loose).when(Lit(lamp="l1")).then(loose.gone())
    with pytest.raises(AssertionError, match="not expected: no Lamp 'l1'"):
        given(lamps, loose).when(Lit(lamp="l1")).then_nothing()


def test_equal_events_are_one_event_unless_said_otherwise() -> None:
    """A repeat changes nothing; another event with the same content does."""
    given(inventory).when(ADDED, ADDED).then(Shelf(sku="cup", available=1))
    given(inventory).when(ADDED, another(ADDED), another(ADDED, 3)).then(Shelf(sku="cup", available=3))


def test_what_was_said_before_is_no_new_fact() -> None:
    """The engine publishes it again for a repeat, under the same id."""
    given(inventory, ADDED, CREATED).when(CREATED).then_nothing()


def test_a_deadline_that_was_not_scheduled_is_missed() -> None:
    """The message names the scheduled ones."""
    came = given(order).when(CREATED)
    with pytest.raises(AssertionError, match=r"expected: order.overdue.due.v1 after 0:01:00\n.*after 0:15:00"):
        came.then_due("overdue", after=timedelta(minutes=1))
    with pytest.raises(AssertionError, match="came: no deadline"):
        given(order).when(ShipmentDispatched(order_id="o1")).then_due("overdue", after=timedelta(minutes=15))


def test_a_test_that_asks_for_what_cannot_be_is_told_so() -> None:
    """The message lists the known names beside the unknown one."""
    with pytest.raises(TypeError, match="inventory does not own Order; it owns Reservation, Shelf"):
        given(inventory, Order(order_id="o1"))
    with pytest.raises(TypeError, match="does not react to StockReserved; it hears OrderCancelled, OrderCreated"):
        given(inventory).when(StockReserved(order_id="o1"))
    with pytest.raises(TypeError, match="no deadline 'late'; it has overdue"):
        given(order).when_due("late", of=CREATED)
    with pytest.raises(TypeError, match="'overdue' does not start at ShipmentDispatched"):
        given(order).when_due("overdue", of=ShipmentDispatched(order_id="o1"))


def test_the_states_of_an_entity_are_its_literals_and_its_switches() -> None:
    """Each combination comes once; all other fields are as in the example."""
    states = states_of(Lamp(lamp="l1"))
    assert len(states) == 3 * 2
    assert {one.key for one in states} == {"l1"}


def test_an_enumeration_is_a_state_as_well() -> None:
    """This holds for all names of its values."""
    assert states_of(Bulb(lamp="l1")) == [Bulb(lamp="l1", glow=glow) for glow in Glow]
    assert choices(Bulb) == {"glow": tuple(Glow)}


def test_a_forgotten_state_is_found() -> None:
    """The state, the event and what happened are named; a reason can be allowed."""
    lit = [Lit(lamp="l1")]
    with pytest.raises(AssertionError, match=r"status='broken'.*has no answer to Lit.*KeyError"):
        every_state(lamps, lit, Lamp(lamp="l1"))
    assert every_state(lamps, lit, Lamp(lamp="l1"), refusals=["KeyError"]) == 6


def test_every_order_is_each_order_once() -> None:
    """A test can then state the common result of all of them."""
    assert len(list(every_order(inventory, (ADDED, CREATED)))) == 2
