"""Two replicas: in every order of their operations, no update is lost and nothing happens twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choreography.engine.delivery import Delivery
from tests.unit.engine.events import came, state_of
from tests.unit.engine.replica import Replica, World, interleaved
from tests.unit.engine.toy import Asked, Box, Claimed, Emptied, Moved, Opened, Put, bank, desk

Batch = Sequence[Delivery]


def turns(seed: int, bits: int) -> Iterator[bool]:
    """Return the sequence of turns, one for each bit."""
    return (bool(seed >> bit & 1) for bit in range(bits))


def both(world: World, first: Batch, second: Batch, order: Iterator[bool]) -> World:
    """Deliver a batch to each of two replicas, and redeliver their unacknowledged events once."""
    one, other = Replica(world), Replica(world)
    results = interleaved(one.delivering(first), other.delivering(second), order)
    for replica, batch, done in ((other, first, results[0]), (one, second, results[1])):
        assert all(replica.deliver(*(delivery for delivery, ok in zip(batch, done, strict=True) if not ok)))
    world.assert_released()
    return world


@pytest.mark.parametrize("seed", range(64))
def test_no_update_is_lost(seed: int) -> None:
    """Two simultaneous events for one box both count, and each publishes the count of the store."""
    world = World(desk)
    both(world, [came(Put(box="a", amount=1), "e1")], [came(Put(box="a", amount=2), "e2")], turns(seed, 6))
    assert state_of(world, Box, "a") == Box(box="a", coins=3)


@pytest.mark.parametrize("seed", range(64))
@pytest.mark.parametrize("known", [False, True])
def test_write_skew_on_an_entity_that_was_only_read_is_caught(seed: int, known: bool) -> None:
    """Rule 6: each claim is allowed only while the other's box is empty, so both never succeed."""
    world = World(desk)
    if known:
        Replica(world).deliver(came(Put(box="a", amount=0), "a0"), came(Put(box="b", amount=0), "b0"))
    first, second = came(Claimed(box="a", other="b"), "e1"), came(Claimed(box="b", other="a"), "e2")
    both(world, [first], [second], turns(seed, 6))
    boxes = [state_of(world, Box, name) for name in "ab"]
    assert sum(box.coins for box in boxes if box) == 1


@pytest.mark.parametrize("seed", range(128))
def test_one_event_at_two_replicas_happens_once(seed: int) -> None:
    """The broker delivers one event to both, and one of them finds the outcome of the other."""
    world = World(desk, bank)
    batch = [came(Moved(box="z", to=("a",)), "e0"), came(Put(box="a", amount=1), "e1"), came(Asked(box="a"), "e2")]
    both(world, batch, batch, turns(seed, 7))
    assert state_of(world, Box, "a") == Box(box="a", coins=1001, paid=True)
    assert len(world.provider.done) == 1


EVENTS = [
    Opened(box="a"),
    Put(box="a", amount=1),
    Put(box="a", amount=10),
    Put(box="b", amount=100),
    Moved(box="a", to=("b",)),
    Moved(box="b", to=("a", "c")),
    Claimed(box="c", other="a"),
    Claimed(box="a", other="c"),
    Emptied(box="c"),
    Asked(box="b"),
]
IDS = st.lists(st.integers(0, len(EVENTS) - 1), max_size=6)


@given(IDS, IDS, st.lists(st.booleans(), max_size=30))
def test_overlapping_batches_leave_what_some_order_of_their_events_leaves(
    first: list[int], second: list[int], order: list[bool]
) -> None:
    """The result is serialisable: the coins are as if the events came one after another, in some order."""
    world = World(desk, bank)
    batches = [[came(EVENTS[number], f"e{number}") for number in numbers] for numbers in (first, second)]
    both(world, batches[0], batches[1], iter(order))
    assert len(world.store.outcomes()) == len({*first, *second}) + len(world.provider.done)
    assert coins(world) in reachable(frozenset({*first, *second}))


def coins(world: World) -> tuple[tuple[int, bool] | None, ...]:
    """Return what is in each box."""
    boxes = (state_of(world, Box, name) for name in "abc")
    return tuple((box.coins, box.paid) if box else None for box in boxes)


_REACHABLE: dict[frozenset[int], set[tuple[tuple[int, bool] | None, ...]]] = {}


def reachable(numbers: frozenset[int]) -> set[tuple[tuple[int, bool] | None, ...]]:
    """Return every state that the events may lead to, one after another, payments arriving at any later moment."""
    if numbers not in _REACHABLE:
        _REACHABLE[numbers] = set(_explore(numbers))
    return _REACHABLE[numbers]


State = tuple[tuple[int, bool] | None, tuple[int, bool] | None, tuple[int, bool] | None]


def _explore(numbers: frozenset[int]) -> Iterator[State]:
    seen: set[tuple[State, frozenset[object]]] = set()
    start: State = (None, None, None)
    todo: list[tuple[State, frozenset[object]]] = [(start, frozenset(numbers))]
    while todo:
        here = todo.pop()
        if here in seen:
            continue
        seen.add(here)
        state, open_ones = here
        if not open_ones:
            yield state
        for one in open_ones:
            after, more = _apply(state, one)
            todo.append((after, (open_ones - {one}) | more))


def _apply(state: State, one: object) -> tuple[State, frozenset[object]]:  # noqa: C901 - one case for each event
    boxes = dict(zip("abc", state, strict=True))
    none: frozenset[object] = frozenset()

    def held(name: str) -> tuple[int, bool]:
        return boxes[name] or (0, False)

    def put(name: str, amount: int) -> None:
        boxes[name] = (held(name)[0] + amount, held(name)[1])

    more = none
    event = EVENTS[one] if isinstance(one, int) else None
    match event:
        case None:
            boxes["b"] = (held("b")[0] + 1000, True)
        case Opened(box=box):
            put(box, 0)
        case Put(box=box, amount=amount):
            put(box, amount)
        case Moved(box=box, to=to):
            if held(box)[0] >= len(to):
                put(box, -len(to))
                for name in to:
                    put(name, 1)
        case Claimed(box=box, other=other):
            if not held(other)[0]:
                boxes[box] = (1, held(box)[1])
        case Emptied(box=box):
            boxes[box] = None
        case Asked(box=box):
            put(box, 0)
            more = frozenset({"paid"})
        case _:
            raise AssertionError(event)
    return (boxes["a"], boxes["b"], boxes["c"]), more


def test_every_interleaving_of_three_claims_has_one_winner() -> None:
    """Rule 6, exhaustively for the operations up to both commits and their retries."""
    for order in itertools.product([True, False], repeat=8):
        world = World(desk)
        first = [came(Claimed(box="a", other="b"), "e1"), came(Claimed(box="c", other="a"), "e3")]
        both(world, first, [came(Claimed(box="b", other="a"), "e2")], iter(order))
        boxes = {name: state_of(world, Box, name) for name in "abc"}
        full = {name for name, box in boxes.items() if box and box.coins}
        assert full in ({"a"}, {"b", "c"})
