"""The cast of a rehearsal: the same in every run, with every kind of order in it."""

from collections import Counter

from apps.checkout.rehearsal._plan import CARD_LIMIT, HOT, SHELF, asked_for, plan, stock_wanted


def test_even_a_small_run_shows_every_kind_of_order() -> None:
    """Thirty orders are enough to see a flow complete, compensate and refuse."""
    planned = plan("run", 30)
    assert {order.kind for order in planned} == {
        "ordinary",
        "over the card's limit",
        "withdrawn by the customer",
        "invalid",
    }
    assert any(order.sent_twice for order in planned)
    assert any(len(order.lines) > 1 for order in planned)


def test_a_large_run_has_the_intended_shares() -> None:
    """About one in twenty is invalid, one in fourteen too expensive, one in twelve withdrawn."""
    kinds = Counter(order.kind for order in plan("run", 10_000))
    assert kinds["invalid"] == 500
    assert 600 < kinds["over the card's limit"] < 750
    assert 650 < kinds["withdrawn by the customer"] < 850


def test_only_the_expensive_orders_are_over_the_limit() -> None:
    """Otherwise the provider would decline orders that are meant to complete."""
    for order in plan("run", 2_000):
        assert (order.total > CARD_LIMIT) == (order.kind == "over the card's limit")


def test_two_runs_differ_in_their_keys_alone() -> None:
    """New keys make new orders; the rest is the same, so runs can be compared."""
    first, second = plan("one", 200), plan("two", 200)
    assert not {order.key for order in first} & {order.key for order in second}
    assert [order.body for order in first] == [order.body for order in second]


def test_the_hot_article_is_scarce_and_everything_else_is_not() -> None:
    """Some orders must be refused, and for one reason only."""
    planned = plan("run", 500)
    demand, wanted = asked_for(planned), stock_wanted(planned)
    assert 0 < wanted[HOT] < demand[HOT]
    assert all(wanted[sku] > demand[sku] for sku in SHELF)
