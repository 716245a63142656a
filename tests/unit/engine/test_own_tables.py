"""Tables of a service's own: the extra writes of a transaction, and the fate of an event that they fail."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from choreography import Committing, Deadline, Service, Value
from choreography.engine.beside import Beside
from choreography.engine.operations import CommitResult, Conflict, Failed, Limits, Unknown
from tests.unit.engine.events import came, fired, state_of
from tests.unit.engine.replica import Replica, World, said
from tests.unit.engine.toy import Asked, Box, Broken, Counted, Emptied, Moved, Opened, Pay, Put, bank, desk


class Coin(Value):
    """A row for each coin in a box."""

    box: str
    number: int


@pytest.fixture
def told() -> Service:
    """Return the desk with a table of coins, and with two hooks."""
    service = copy.copy(desk)
    service.projections, service.hooks = [], []

    @service.projection("coins", key=("box", "number"))
    def coins(box: Box) -> tuple[Coin, ...]:
        if box.coins == 13:
            raise ValueError("unlucky")
        return tuple(Coin(box=box.box, number=number) for number in range(box.coins))

    @service.in_transaction()
    async def note(connection: AsyncConnection, committing: Committing) -> None:
        raise NotImplementedError

    @service.in_transaction(Put)
    async def note_put(connection: AsyncConnection, committing: Committing) -> None:
        raise NotImplementedError

    return service


def world_of(service: Service) -> World:
    """Return a world whose service connects to its database itself."""
    return World(service, answers=bank, limits=Limits(snapshot_reads=True))


def failing(event_id: str, *answers: CommitResult | None) -> Callable[[Beside], CommitResult | None]:
    """Give these answers in turn when a hook is called for this event; repeat the last."""
    left = list(answers)

    def answer(beside: Beside) -> CommitResult | None:
        if all(call.committing.event_id != event_id for call in beside.calls):
            return None
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


def test_rows_of_changed_entities_go_into_the_transaction(told: Service) -> None:
    """These are the rows of each changed entity after the last event of the batch; a deleted one has none."""
    world = world_of(told)
    Replica(world).deliver(came(Put(box="a", amount=1), "e1"), came(Put(box="a", amount=1), "e2"))
    Replica(world).deliver(came(Moved(box="a", to=("b",)), "e3"), came(Emptied(box="c"), "e4"))
    Replica(world).deliver(came(Emptied(box="a"), "e5"))
    rows = [{one.key: [row["number"] for row in one.rows] for one in beside.rows} for beside in world.store.beside]
    assert rows == [{"a": [0, 1]}, {"a": [0], "b": [0]}, {"a": []}]


def test_a_hook_is_shown_what_is_about_to_be_committed(told: Service) -> None:
    """It gets the event, the entities before and after it, and the resulting events and intents."""
    world = world_of(told)
    Replica(world).deliver(came(Put(box="a", amount=1), "e1"), came(Put(box="a", amount=2), "e2"))
    [beside] = world.store.beside
    assert [(call.hook.name, call.committing.event_id) for call in beside.calls] == [
        ("note", "e1"),
        ("note_put", "e1"),
        ("note", "e2"),
        ("note_put", "e2"),
    ]
    second = beside.calls[2].committing
    assert second.heard == Put(box="a", amount=2)
    assert second.changes == ((Box(box="a", coins=1), Box(box="a", coins=3)),)
    assert second.says == (Counted(box="a", total=3),)
    Replica(world).deliver(came(Asked(box="a"), "e3"))
    assert world.store.beside[1].calls[0].committing.asks == (Pay(box="a", coins=3),)


def test_a_hook_hears_of_a_deadline_that_is_due(told: Service) -> None:
    """A deadline is an event like any other, although no service published it."""
    world = world_of(told)
    Replica(world).deliver(came(Opened(box="a"), "e1", source="desk", causationid=None))
    Replica(world).deliver(*(fired(due.encoded) for due in world.scheduler.deadlines))
    heard = [call.committing.heard for beside in world.store.beside for call in beside.calls]
    assert any(isinstance(one, Deadline) and one.name == "remind" for one in heard)


def test_a_repeat_and_a_quarantined_event_call_no_hook(told: Service) -> None:
    """The outcome shows that the hook ran for the first; the second changed nothing."""
    world = world_of(told)
    Replica(world).deliver(came(Put(box="a", amount=1), "e1"))
    Replica(world).deliver(came(Put(box="a", amount=1), "e1"), came(Broken(box="a"), "e2"))
    assert [call.committing.event_id for one in world.store.beside for call in one.calls] == ["e1", "e1"]


def test_if_a_hook_fails_only_its_event_fails(told: Service) -> None:
    """Its neighbours commit, and it is quarantined with its attempts and its stack, as if a reaction had failed."""
    world = world_of(told)
    world.store.answers_beside = failing("bad", Failed("ValueError: no", "in note"))
    neighbours = [came(Put(box="a", amount=1), f"e{number}") for number in range(5)]
    assert Replica(world).deliver(*neighbours, came(Put(box="a", amount=100), "bad")) == [True] * 6
    assert state_of(world, Box, "a") == Box(box="a", coins=5)
    outcome = world.store.outcome("bad")
    assert outcome is not None
    assert outcome.quarantined is not None
    assert outcome.quarantined[:3] == ("ValueError: no", world.limits.reaction_attempts, "in note")
    [letter] = [said(text) for text in world.broker.texts() if "attempts" in said(text)]
    assert letter["attempts"] == world.limits.reaction_attempts


def test_a_conflict_and_a_lost_server_are_no_attempts_of_a_hook(told: Service) -> None:
    """Trouble of the database says nothing about the event, however often it comes in between."""
    world = world_of(told)
    trouble = (Conflict(), Failed("ValueError: no"), Unknown(), Failed("ValueError: no"), None)
    world.store.answers_beside = failing("e1", *trouble)
    assert Replica(world).deliver(came(Put(box="a", amount=1), "e1")) == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=1)


def test_a_projection_that_raises_fails_its_event_alone(told: Service) -> None:
    """It is as pure as a reaction, and fails like one."""
    world = world_of(told)
    assert Replica(world).deliver(came(Put(box="a", amount=13), "e1"), came(Put(box="b", amount=1), "e2")) == [True] * 2
    outcome = world.store.outcome("e1")
    assert outcome is not None
    assert outcome.quarantined is not None
    assert outcome.quarantined.reason == "ValueError: unlucky"
    assert state_of(world, Box, "b") == Box(box="b", coins=1)


def test_a_replay_of_what_a_hook_set_aside_runs_again(told: Service) -> None:
    """Once the hook is mended the event is done, once; until then its record counts more attempts."""
    world = world_of(told)
    world.store.answers_beside = failing("e1", Failed("ValueError: no"))
    delivery = came(Put(box="a", amount=1), "e1")
    Replica(world).deliver(delivery)
    replay = delivery._replace(purpose="replay", recorded_as="e1")
    Replica(world).deliver(replay)
    outcome = world.store.outcome("e1")
    assert outcome is not None
    assert outcome.quarantined is not None
    assert outcome.quarantined.attempts == 2 * world.limits.reaction_attempts
    world.store.answers_beside = lambda _: None
    Replica(world).deliver(replay)
    assert state_of(world, Box, "a") == Box(box="a", coins=1)
