"""Earlier names still work, and warn what to write instead."""

from __future__ import annotations

import pytest

from apps.checkout.contracts import Line, OrderCreated
from apps.checkout.order import order
from choreography.engine import records
from choreography.in_memory import InMemory

CREATED = OrderCreated(
    order_id="o1", customer_id="c1", currency="EUR", lines=(Line(sku="s", quantity=1, unit_price=5),), total=5
)


@pytest.mark.parametrize(("earlier", "name"), [("Wish", "CommittedIntent"), ("Due", "ScheduledDeadline")])
def test_a_class_under_its_earlier_name_is_the_same_and_warns(earlier: str, name: str) -> None:
    """The warning names both."""
    with pytest.warns(DeprecationWarning, match=rf"{earlier} is called {name} now"):
        assert getattr(records, earlier) is getattr(records, name)
    with pytest.raises(AttributeError, match="has no attribute 'Wished'"):
        _ = records.Wished


def test_an_attribute_under_its_earlier_name_is_the_same_and_warns() -> None:
    """It works on the instance, and holds the same value."""
    memory = InMemory(order)
    delivered = memory.hear(memory.delivery(CREATED))
    with pytest.warns(DeprecationWarning, match=r"Delivered.dues is called deadlines now"):
        assert delivered.dues is delivered.deadlines
    assert len(delivered.deadlines) == 1
