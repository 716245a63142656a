"""The engine under all faults that its promise allows: each effect happens once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from choreography.engine.delivery import Delivery
from choreography.explore.replicas import Budget, EngineScope, Program, Situation, as_shipped
from choreography.explore.replicas.scope import said
from tests.explore.toy import Moved, Put, Till, bank, came, tills
from tests.explore.twins.eager_engine import publishes_first

FIRST, SECOND = came(Put(till="a", amount=1), "e1"), came(Put(till="a", amount=10), "e2")
LARGE = came(Put(till="a", amount=100), "e3")
MOVE = came(Moved(till="a", to="b"), "e4")


def coins(one: Situation, key: str = "a") -> int:
    """Return how much the store says is in a till."""
    record = one.record(tills, Till, key)
    return int(record.state["coins"]) if record and record.state else 0


def published_is_recorded(one: Situation) -> bool:
    """Only events that an outcome holds were published."""
    recorded = {event.encoded for outcome in one.outcomes for event in outcome.events}
    return all(event.encoded in recorded for event in one.published)


def one_id_says_one_thing(one: Situation) -> bool:
    """No two published events share an id."""
    ids = [said(event)[0] for event in one.published]
    return len(ids) == len(set(ids))


def called_is_recorded(one: Situation) -> bool:
    """The outside was called only for intents that an outcome holds, once for each key."""
    recorded = {(committed.key, committed.body) for outcome in one.outcomes for committed in outcome.intents}
    return set(one.called) <= recorded and len({key for key, _ in one.called}) == len(one.called)


def one_outcome_each(one: Situation) -> bool:
    """No event has two outcomes."""
    ids = [outcome.event_id for outcome in one.outcomes]
    return len(ids) == len(set(ids))


def recorded_is_published(one: Situation) -> bool:
    """Everything that was recorded is published, scheduled and called."""
    outcomes = one.outcomes
    return (
        {event.encoded for outcome in outcomes for event in outcome.events}
        == {event.encoded for event in one.published}
        and {due.encoded for outcome in outcomes for due in outcome.deadlines} == one.scheduled
        and {committed.key for outcome in outcomes for committed in outcome.intents} == {key for key, _ in one.called}
    )


ALWAYS = {
    "what is published is recorded": published_is_recorded,
    "one id says one thing": one_id_says_one_thing,
    "what is asked for is recorded": called_is_recorded,
    "one outcome each": one_outcome_each,
}


def scope(deliveries: Sequence[Delivery], total: int, program: Program = as_shipped, **more: Any) -> EngineScope:
    """Return a scope in which so many coins must be in the tills at the end."""
    eventually = {
        "what is recorded is published": recorded_is_published,
        "every coin is counted once": lambda one: coins(one) + coins(one, "b") == total,
        "every event has an outcome": lambda one: len(one.outcomes) >= len(deliveries),
    }
    return EngineScope(tills, deliveries, bank, program=program, always=ALWAYS, eventually=eventually, **more)


SCOPES: dict[str, EngineScope] = {
    "one replica, two events, two crashes, two unknown answers": scope(
        [FIRST, SECOND], 11, budget=Budget(crashes=2, unknown=2)
    ),
    "one replica, an effect, two crashes, two unknown answers, a redelivery": scope(
        [LARGE], 100, budget=Budget(crashes=2, unknown=2, redeliveries=1)
    ),
    "one replica, two entities, bulk gets that show nothing": scope(
        [FIRST, MOVE], 1, budget=Budget(crashes=1, hidden=2, redeliveries=1)
    ),
    "two replicas, two events, a crash, an unknown answer": scope(
        [FIRST, SECOND], 11, replicas=2, budget=Budget(crashes=1, unknown=1)
    ),
    "two replicas, two entities, a bulk get that shows nothing": scope(
        [FIRST, MOVE], 1, replicas=2, budget=Budget(hidden=1, redeliveries=1)
    ),
    "two replicas, an effect, a crash, a redelivery": scope(
        [LARGE], 100, replicas=2, budget=Budget(crashes=1, redeliveries=2)
    ),
}


def on_snapshots(one: EngineScope) -> EngineScope:
    """Return a scope on a store whose reads are snapshots, where outcomes are rows of their own and nothing hides."""
    return replace(one, limits=replace(one.limits, snapshot_reads=True), budget=replace(one.budget, hidden=0))


SCOPES |= {f"{name}, on a store of snapshots": on_snapshots(one) for name, one in SCOPES.items() if "crash" in name}


@pytest.mark.parametrize("name", SCOPES)
def test_the_engine_keeps_its_promise_whatever_goes_wrong(name: str) -> None:
    """The search sees every state that these faults can reach, thousands of them, and all are right."""
    result = SCOPES[name].explore()
    assert result.found is None, result.found
    assert result.ends
    assert result.states > 1000


def test_an_engine_that_publishes_before_it_commits_is_found() -> None:
    """One crash is enough: it published more than is recorded."""
    found = scope([FIRST], 1, program=publishes_first, budget=Budget(crashes=1)).explore().found
    assert found is not None
    assert found.name == "what is published is recorded"
    assert found.run == ["a replica is given e1", "it reads", "it publishes"]


def test_publishing_before_the_commit_makes_one_id_say_two_things() -> None:
    """With two replicas, others get an event that was never committed: the same id with two contents."""
    flawed = scope([FIRST, SECOND], 11, program=publishes_first, replicas=2)
    flawed.always = {"one id says one thing": one_id_says_one_thing}
    found = flawed.explore().found
    assert found is not None
    assert len(found.run) == 12
    assert found.run[-1] == "it publishes"
