"""The auditor finds real errors only: correct records pass, and every falsification is noticed."""

# ruff: noqa: D103 - a way to cook the books is told by its name

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from choreography.engine.identity import digest_of_bytes
from faults.accounts import Account, Attack
from faults.audit import Evidence, judge
from faults.audit.evidence import OutcomeRecord, Record, Store, Waiting
from tests.unit.faults.small_flow import SKU, played


def broken(evidence: Evidence) -> set[str]:
    """Return the broken rules."""
    return {finding.rule for finding in judge(evidence) if finding.offenders}


def test_honest_books_pass() -> None:
    """No rule reports a false finding, and every rule has something to look at."""
    findings = judge(played().evidence())
    assert [(one.rule, one.offenders, one.looked_at) for one in findings if not one.holds] == []


def _store(evidence: Evidence, name: str, **changes: Any) -> None:
    evidence.stores[name] = replace(evidence.stores[name], **changes)


def _states(
    evidence: Evidence, name: str, kind: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    """Change the states of one kind, as a service could that writes past its own rules."""
    store: Store = evidence.stores[name]
    records: list[Record] = []
    for record in store.records:
        if record.kind != kind or record.state is None:
            records.append(record)
        elif (state := change(dict(record.state))) is not None:
            records.append(replace(record, state=state))
    _store(evidence, name, records=tuple(records))


def _without(evidence: Evidence, name: str, gone: Callable[[OutcomeRecord], bool]) -> None:
    outcomes = tuple(one for one in evidence.stores[name].outcomes if not gone(one))
    assert len(outcomes) < len(evidence.stores[name].outcomes)
    _store(evidence, name, outcomes=outcomes)


def _only(evidence: Evidence, order_id: str, kind: str) -> dict[str, Any]:
    return next(one for one in evidence.entries if one["order_id"] == order_id and one["kind"] == kind)


def lose_an_order(evidence: Evidence) -> None:
    _states(evidence, "order", "order", lambda state: None if state["order_id"] == "completed" else state)


def leave_an_order_open(evidence: Evidence) -> None:
    _states(evidence, "order", "order", lambda state: state | {"status": "placed"})


def take_too_long(evidence: Evidence) -> None:
    evidence.late["completed"] = 1_000.0


def accept_one_request_as_two_orders(evidence: Evidence) -> None:
    evidence.orders[0].order_ids.add("too-dear")


def charge_twice(evidence: Evidence) -> None:
    evidence.entries.append(_only(evidence, "completed", "charge"))


def charge_without_a_committed_intent(evidence: Evidence) -> None:
    evidence.entries.append(_only(evidence, "completed", "charge") | {"key": "made up"})


def charge_too_little(evidence: Evidence) -> None:
    _only(evidence, "completed", "charge")["amount"] -= 1


def keep_a_cancelled_orders_money(evidence: Evidence) -> None:
    evidence.entries.remove(_only(evidence, "in-time", "refund"))


def refund_a_completed_order(evidence: Evidence) -> None:
    evidence.entries.append(_only(evidence, "completed", "charge") | {"kind": "refund"})


def lose_stock(evidence: Evidence) -> None:
    _states(evidence, "inventory", "shelf", lambda state: state | {"available": state["available"] - 1})


def sell_what_nobody_bought(evidence: Evidence) -> None:
    moved = lambda state: state | {"available": state["available"] - 1, "taken": state["taken"] + 1}  # noqa: E731
    _states(evidence, "inventory", "shelf", moved)


def go_below_zero(evidence: Evidence) -> None:
    _states(evidence, "inventory", "shelf", lambda state: state | {"available": -1, "taken": 101})


def dispatch_before_it_is_paid(evidence: Evidence) -> None:
    for place, message in enumerate(evidence.messages):
        if (message.event or {}).get("type") == "payment.charged.v1":
            evidence.messages[place] = replace(message, place=(2**40, 0))


def dispatch_twice(evidence: Evidence) -> None:
    for message in list(evidence.messages):
        event = message.event or {}
        if event.get("type") == "shipment.dispatched.v1":
            evidence.messages.append(replace(message, event=event | {"id": "another"}))


def end_in_two_ways(evidence: Evidence) -> None:
    for message in list(evidence.messages):
        event = message.event or {}
        if event.get("type") == "order.completed.v1":
            evidence.messages.append(replace(message, event=event | {"type": "order.cancelled.v1"}))


def ship_what_is_cancelled(evidence: Evidence) -> None:
    _states(evidence, "shipping", "shipment", lambda state: state | {"status": "dispatched"})


def tell_a_customer_nothing(evidence: Evidence) -> None:
    _states(evidence, "notification", "notice", lambda state: state | {"told": "nothing"})


def publish_nothing(evidence: Evidence) -> None:
    gone = {message.identity for message in evidence.messages if message.topic == "shipment.dispatched"}
    evidence.messages[:] = [message for message in evidence.messages if message.topic != "shipment.dispatched"]
    for identity in gone:
        del evidence.by_identity[identity]


def publish_other_bytes(evidence: Evidence) -> None:
    place = next(n for n, one in enumerate(evidence.messages) if (one.event or {}).get("causationid"))
    message = evidence.messages[place]
    evidence.messages[place] = replace(message, raw=message.raw + b" ")


def publish_before_it_is_committed(evidence: Evidence) -> None:
    _without(evidence, "shipping", lambda one: any(topic == "shipment.dispatched" for topic, _, _ in one.events))


def acknowledge_before_it_is_committed(evidence: Evidence) -> None:
    heard = {one.identity for one in evidence.messages if (one.event or {}).get("type") == "order.completed.v1"}
    _without(evidence, "notification", lambda one: one.event_id in heard)


def say_two_things_under_one_id(evidence: Evidence) -> None:
    message = evidence.messages[1]
    event = message.event or {}
    evidence.messages.append(replace(message, event=event | {"data": event["data"] | {"total": 1}}))


def forget_an_intent(evidence: Evidence) -> None:
    _without(evidence, "billing", lambda one: bool(one.heard))


def miss_a_deadline(evidence: Evidence) -> None:
    _without(evidence, "order", lambda one: bool(one.heard))


def leave_something_on_the_broker(evidence: Evidence) -> None:
    evidence.groups.append(Waiting("order.cancellation-requested", "shipping", 1, 0))


def leave_something_unread(evidence: Evidence) -> None:
    evidence.groups.append(Waiting("order.cancellation-requested", "shipping", 0, 1))


def run_an_event_twice(evidence: Evidence) -> None:
    def once_more(state: dict[str, Any]) -> dict[str, Any]:
        return state | {"taken": state["taken"] + 1}

    _states(evidence, "inventory", "shelf", once_more)


def fork_a_version(evidence: Evidence) -> None:
    outcomes = evidence.stores["inventory"].outcomes
    one = next(one for one in outcomes if any(kind == "shelf" for kind, *_ in one.written))
    _store(evidence, "inventory", outcomes=(*outcomes, one))


def leave_a_gap(evidence: Evidence) -> None:
    outcomes = evidence.stores["inventory"].outcomes
    first = next(one for one in outcomes if ("shelf", SKU, 1, True) in one.written)
    _without(evidence, "inventory", lambda one: one is first)


def quarantine_the_innocent(evidence: Evidence) -> None:
    outcomes = evidence.stores["order"].outcomes
    aside = replace(outcomes[0], event_id="x", events=(), written=(), quarantined=("why", 1, "", "an honest event"))
    _store(evidence, "order", outcomes=(*outcomes, aside))


def quarantine_without_a_word(evidence: Evidence) -> None:
    quarantine_the_innocent(evidence)
    evidence.dead_letters.clear()


def test_poison_that_is_kept_by_its_digest_is_known_as_poison() -> None:
    """The record of an event that is too large holds only the beginning, under the digest of the whole."""
    raw = b"x" * 1_000_000
    evidence = replace(played().evidence(), hostile=frozenset({raw}))
    outcomes = evidence.stores["order"].outcomes
    identity = digest_of_bytes(raw)
    aside = replace(outcomes[0], event_id=identity, events=(), written=(), quarantined=("too large", 0, "", "xxx"))
    _store(evidence, "order", outcomes=(*outcomes, aside))
    evidence.dead_letters.append({"service": "order", "event_id": identity, "reason": "too large"})
    assert broken(evidence) == set()


OLD = orjson.dumps({"type": "order.created.v1", "time": "2020-01-01T00:00:00Z", "number": 1})
OLDER = orjson.dumps({"type": "order.created.v1", "time": "2019-01-01T00:00:00Z", "number": 2})


def set_aside(evidence: Evidence, service: str, *texts: bytes) -> None:
    """Let a service quarantine texts, with their dead letters."""
    outcomes = evidence.stores[service].outcomes
    for text in texts:
        identity, bad = digest_of_bytes(text), ("no event", 0, "", text.decode())
        evidence.dead_letters.append({"service": service, "event_id": identity, "reason": "no event"})
        outcomes = (*outcomes, replace(outcomes[0], event_id=identity, events=(), written=(), quarantined=bad))
    _store(evidence, service, outcomes=outcomes)


def test_of_a_burst_that_is_too_old_only_the_first_must_be_kept() -> None:
    """The others are counted; but some record must show that there was a burst."""
    evidence = replace(played().evidence(), hostile=frozenset({OLD, OLDER}))
    assert broken(evidence) == {"All poison is quarantined"}
    set_aside(evidence, "order", OLD)
    assert broken(evidence) == set()


def test_a_burst_that_is_too_old_excuses_no_other_poison() -> None:
    """A burst at another service excuses none either."""
    evidence = replace(played().evidence(), hostile=frozenset({OLD, OLDER, b"poison"}))
    set_aside(evidence, "order", OLD)
    assert broken(evidence) == {"All poison is quarantined"}
    aimed = {raw: frozenset({"order", "billing"}) for raw in (OLD, OLDER)}
    elsewhere = replace(played().evidence(), hostile=frozenset({OLD, OLDER}), aimed=aimed)
    set_aside(elsewhere, "order", OLD, OLDER)
    assert broken(elsewhere) == {"All poison is quarantined"}


def test_everybody_who_should_has_set_poison_aside() -> None:
    """Services that do not consume it must not quarantine it."""
    aimed = {b"poison": frozenset({"order", "shipping"}), b"foreign": frozenset[str]()}
    evidence = replace(played().evidence(), hostile=frozenset(aimed), aimed=aimed)
    set_aside(evidence, "order", b"poison")
    assert broken(evidence) == {"All poison is quarantined"}
    set_aside(evidence, "shipping", b"poison")
    assert broken(evidence) == set()


PAGE = """
choreography_deliveries_total{service="order"} 7
choreography_settled_total{service="order"} 3
choreography_repeats_total{service="order"} 1
choreography_quarantined_total{service="order"} 1
choreography_ignored_total{service="order",type="a"} 1
choreography_ignored_total{service="order",type="other"} 0
choreography_in_hand{service="order"} 1
"""


@pytest.mark.parametrize(
    ("page", "lawful"),
    [
        (PAGE, True),
        (PAGE.replace('deliveries_total{service="order"} 7', 'deliveries_total{service="order"} 6'), True),
        (PAGE.replace('deliveries_total{service="order"} 7', 'deliveries_total{service="order"} 8'), False),
        (PAGE.replace('deliveries_total{service="order"} 7', 'deliveries_total{service="order"} 5'), False),
        (PAGE.replace('repeats_total{service="order"} 1', 'repeats_total{service="order"} 0'), False),
    ],
)
def test_a_process_that_does_not_know_what_became_of_a_delivery_is_found_out(page: str, lawful: bool) -> None:
    """A delivery in hand may still end; one neither in hand nor ended is lost; none ends twice."""
    account = Account.read("order-2", page)
    assert (account.in_hand, dict(account.ignored)) == (1, {"a": 1, "other": 0})
    evidence = replace(played().evidence(), accounts=(account,))
    assert broken(evidence) == (set() if lawful else {"Every delivery ended in one way that is counted"})


SAME = {"order": 1, "order-sidecar": 2}


@pytest.mark.parametrize(
    ("attack", "rules"),
    [
        (Attack(SAME, SAME, {"order": (5, 8, 3), "billing": (0, 0, 0)}), set()),
        (Attack(SAME, SAME | {"order": 3}, {"order": (0, 3, 3)}), {"No process ends over hostile events"}),
        (Attack(SAME, SAME | {"order-sidecar": None}, {"order": (0, 3, 3)}), {"No process ends over hostile events"}),
        (Attack(SAME, SAME, {"order": (5, 7, 3)}), {"What nobody hears is counted by its type"}),
        (Attack(SAME, SAME, {"order": (0, 3, 3)}, ("nudges 1-0",)), {"Hostile events are taken in time"}),
    ],
)
def test_what_an_attack_does_to_processes_is_noticed(attack: Attack, rules: set[str]) -> None:
    """A dead process, a silent one, and an event that blocks its topic are noticed."""
    assert broken(replace(played().evidence(), attacks=(attack,))) == rules


COOKED: dict[Callable[[Evidence], None], str] = {
    lose_an_order: "Every accepted order is known",
    leave_an_order_open: "Every order ended",
    take_too_long: "Every order ended within 60 s of calm",
    accept_one_request_as_two_orders: "A request sent twice is one order",
    charge_twice: "Nobody was charged or refunded twice",
    charge_without_a_committed_intent: "The provider is asked only what is committed",
    charge_too_little: "Completed orders are paid",
    keep_a_cancelled_orders_money: "Cancelled orders cost nothing",
    refund_a_completed_order: "Completed orders are paid",
    lose_stock: "Stock adds up to what came in",
    sell_what_nobody_bought: "Exactly what was sold was taken",
    go_below_zero: "Stock is not below zero",
    dispatch_before_it_is_paid: "No parcel leaves before it is paid",
    dispatch_twice: "At most one parcel per order",
    end_in_two_ways: "No order ends in two ways",
    ship_what_is_cancelled: "All services agree on how it ended",
    tell_a_customer_nothing: "Every customer was told how it ended",
    publish_nothing: "What is recorded was published",
    publish_other_bytes: "What was published is recorded, to the byte",
    publish_before_it_is_committed: "What was published is recorded, to the byte",
    acknowledge_before_it_is_committed: "Everybody settled all they hear",
    say_two_things_under_one_id: "One id says one thing",
    forget_an_intent: "Every intent is answered",
    miss_a_deadline: "Every deadline fired",
    leave_something_on_the_broker: "Nothing waits on the broker",
    leave_something_unread: "Nothing waits on the broker",
    run_an_event_twice: "State and words equal a pure replay",
    fork_a_version: "Versions have no gap and no fork",
    leave_a_gap: "Versions have no gap and no fork",
    quarantine_the_innocent: "Only poison is quarantined",
    quarantine_without_a_word: "Every quarantined event says why",
}


@pytest.mark.parametrize(("cook", "rule"), COOKED.items(), ids=[cook.__name__ for cook in COOKED])
def test_cooked_books_are_noticed(cook: Callable[[Evidence], None], rule: str) -> None:
    """Each falsification breaks its own rule."""
    evidence = played().evidence()
    cook(evidence)
    assert rule in broken(evidence)
