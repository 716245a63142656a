"""A nudge also reaches events of a fired deadline, which only the deadline's own outcome records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from choreography.engine.deciding import Settled
from choreography.engine.delivery import Delivery
from choreography.engine.envelope import Envelope
from choreography.engine.records import Outcome, ScheduledDeadline
from choreography.engine.releasing import nudged_deadlines

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def _settled(purpose: str, due: datetime) -> Settled:
    envelope = Envelope("due-1", "desk.late.due.v1", "desk", "a", due, "a", "e1", "", {"box": "a"})
    outcome = Outcome("e1", "d", NOON, deadlines=(ScheduledDeadline(due, envelope.encode()),))
    asked = Delivery(None, "", "e1", purpose="nudge", nudge="n1") if purpose == "nudge" else Delivery(None, "", "e1")
    return Settled(asked, outcome, repeated=True)


def test_a_deadline_that_has_fired_is_nudged_too() -> None:
    """Its outcome is looked up under the same nudge, and nothing is run."""
    (delivery,) = nudged_deadlines([_settled("nudge", NOON - timedelta(seconds=1))], NOON)
    assert (delivery.identity, delivery.purpose, delivery.nudge) == ("due-1", "nudge", "n1")


def test_a_deadline_that_is_still_to_come_is_only_scheduled_again() -> None:
    """It has published nothing yet."""
    assert nudged_deadlines([_settled("nudge", NOON + timedelta(minutes=1))], NOON) == []


def test_an_ordinary_repeat_nudges_nothing() -> None:
    """A redelivery repeats only the events that its own outcome recorded."""
    assert nudged_deadlines([_settled("run", NOON - timedelta(seconds=1))], NOON) == []
