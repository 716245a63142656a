"""The engine under everything that its promise allows: whatever dies or goes unanswered, each effect happens once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from choreography.engine.delivery import Delivery
from choreography.engine.memory import Published
from choreography.engine.operations import Commit, Publish
from choreography.engine.records import EntityRecord, Outcome
from choreography.explore.replicas import Budget, EngineScope, Program, Situation, as_shipped
from choreography.explore.replicas.program import Setting, Steps
from choreography.explore.replicas.scope import said
from tests.explore.toy import Moved, Put, Till, bank, came, tills

FIRST, SECOND = came(Put(till="a", amount=1), "e1"), came(Put(till="a", amount=10), "e2")
LARGE = came(Put(till="a", amount=100), "e3")
MOVE = came(Moved(till="a", to="b"), "e4")


def coins(one: Situation, key: str = "a") -> int:
    """Return how much the store says is in a till."""
    record = one.record(tills, Till, key)
    return int(record.state["coins"]) if record and record.state else 0


def published_is_recorded(one: Situation) -> bool:
    """Nothing was published but what an outcome holds."""
    recorded = {event.encoded for outcome in one.outcomes for event in outcome.events}
    return all(event.encoded in recorded for event in one.published)


def one_id_says_one_thing(one: Situation) -> bool:
    """No two published events share an id."""
    ids = [said(event)[0] for event in one.published]
    return len(ids) == len(set(ids))


def called_is_recorded(one: Situation) -> bool:
    """The outside was asked for nothing but what an outcome holds, once for each key."""
    recorded = {(wish.key, wish.body) for outcome in one.outcomes for wish in outcome.wishes}
    return set(one.called) <= recorded and len({key for key, _ in one.called}) == len(one.called)


def one_outcome_each(one: Situation) -> bool:
    """No event has two outcomes."""
    ids = [outcome.event_id for outcome in one.outcomes]
    return len(ids) == len(set(ids))


def recorded_is_published(one: Situation) -> bool:
    """Everything that was recorded is let out."""
    outcomes = one.outcomes
    return (
        {event.encoded for outcome in outcomes for event in outcome.events} == {event.encoded for event in one.published}
        and {due.encoded for outcome in outcomes for due in outcome.dues} == one.scheduled
        and {wish.key for outcome in outcomes for wish in outcome.wishes} == {key for key, _ in one.called}
    )


ALWAYS = {
    "what is published is recorded": published_is_recorded,
    "one id says one thing": one_id_says_one_thing,
    "what is asked for is recorded": called_is_recorded,
    "one outcome each": one_outcome_each,
}


def scope(deliveries: Sequence[Delivery], total: int, program: Program = as_shipped, **more: Any) -> EngineScope:
    """Return a scope in which so many coins must be there in the end."""
    eventually = {
        "what is recorded is published": recorded_is_published,
        "every coin is counted once": lambda one: coins(one) + coins(one, "b") == total,
        "every event has an outcome": lambda one: len(one.outcomes) >= len(deliveries),
    }
    return EngineScope(
        tills, deliveries, bank, program=program, always=ALWAYS, eventually=eventually, **more
    )


SCOPES: dict[str, tuple[EngineScope, int]] = {
    "one replica, two events, two crashes, one unknown answer": (
        scope([FIRST, SECOND], 11, budget=Budget(crashes=2, unknown=1)), 0),
    "one replica, an effect, one crash, one unknown answer": (
        scope([LARGE], 100, budget=Budget(crashes=1, unknown=1, redeliveries=1)), 0),
    "one replica, two entities, a bulk get that shows nothing": (
        scope([FIRST, MOVE], 1, budget=Budget(crashes=1, hidden=2)), 0),
    "two replicas, two events, one crash, one redelivery": (
        scope([FIRST, SECOND], 11, replicas=2, budget=Budget(crashes=1, redeliveries=1)), 0),
    "two replicas, one event, an unknown answer, one redelivery": (
        scope([FIRST], 1, replicas=2, budget=Budget(unknown=1, crashes=1, redeliveries=1)), 0),
}


@pytest.mark.parametrize("name", SCOPES)
def test_the_engine_keeps_its_promise_whatever_goes_wrong(name: str) -> None:
    """Every state that these faults can lead to was seen, and there are exactly so many."""
    begun, states = SCOPES[name]
    result = begun.explore()
    print(name, result.states, result.steps, result.depth, result.ends, result.cpu)
    assert result.found is None, result.found
    assert result.ends
