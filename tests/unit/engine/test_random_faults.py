"""Random batches under random faults: each event takes effect once, and only recorded events go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from hypothesis import given
from hypothesis import strategies as st

from choreography import Event
from choreography.engine.beside import Beside
from choreography.engine.control import read_control
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.memory import Newcomers
from choreography.engine.operations import CommitResult, Write
from tests.unit.engine.broker import PublishFault
from tests.unit.engine.events import came, nudge, raw, state_of, wire
from tests.unit.engine.replica import Replica, World, die_after
from tests.unit.engine.store import CommitFault, ReadFault, Store
from tests.unit.engine.toy import (
    Asked,
    Box,
    Broken,
    Claimed,
    Emptied,
    Left,
    LeftLost,
    Moved,
    Opened,
    Put,
    Right,
    Torn,
    desk,
)
from tests.unit.engine.toy import bank as the_bank

BOXES = st.sampled_from(["a", "b", "c"])
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Put, box=BOXES, amount=st.integers(-3, 9)),
    st.builds(Moved, box=BOXES, to=st.lists(BOXES, max_size=3).map(tuple)),
    st.builds(Claimed, box=BOXES, other=BOXES),
    st.builds(Torn, box=BOXES, other=BOXES),
    *(st.builds(kind, box=BOXES) for kind in (Opened, Emptied, Broken, Asked, Left, Right, LeftLost)),
)
MANY = st.lists(EVENTS, min_size=8, max_size=8)
"""The event of each id."""
CHOICES = st.tuples(st.integers(0, 7), st.sampled_from([False, False, False, True]))
"""An event by its id, and whether it comes with other words than it should."""
COMMITS = st.lists(st.sampled_from(["none", "written, reply lost", "not written", "conflict"]), max_size=8)


@st.composite
def read_faults(draw: st.DrawFn) -> list[ReadFault]:
    """Bulk gets that hide or fail some keys, each its own."""

    def fault(salt: int, kind: str) -> ReadFault:
        return lambda key: kind if hash((key[-6:], salt)) % 3 else "shown"  # type: ignore[return-value]

    kinds = draw(st.lists(st.sampled_from(["shown", "hidden", "failed"]), max_size=5))
    return [fault(draw(st.integers(0, 5)), kind) for kind in kinds]


@st.composite
def publish_faults(draw: st.DrawFn) -> list[PublishFault]:
    """Bulk publishes of which some entries are refused, or taken without a reply."""

    def fault(kinds: list[str]) -> PublishFault:
        return lambda index: kinds[index % len(kinds)]  # type: ignore[return-value]

    entry = st.sampled_from(["none", "refused", "accepted, reply lost"])
    return [fault(kinds) for kinds in draw(st.lists(st.lists(entry, min_size=1, max_size=3), max_size=4))]


def chosen(events: list[Event], choices: list[tuple[int, bool]]) -> list[Delivery]:
    """Return the deliveries of the events chosen."""
    batch = []
    for number, twisted in choices:
        event = events[number]
        if twisted and isinstance(event, Put):
            event = Put(box=event.box, amount=event.amount + 1)
        batch.append(came(event, f"e{number}"))
    return batch


@dataclass(frozen=True, slots=True)
class Trouble:
    """What fails, and when."""

    commits: list[CommitFault]
    reads: list[ReadFault]
    publishes: list[PublishFault]
    confirms: list[bool]
    down: int
    deaths: list[int]

    def befall(self, world: World) -> None:
        """Apply the trouble to the next operations."""
        world.store.commits.extend(self.commits)
        world.store.reads.extend(self.reads)
        world.store.confirms.extend(self.confirms)
        world.broker.faults.extend(self.publishes)
        world.provider.down = self.down


TROUBLE = st.builds(
    Trouble,
    commits=COMMITS,
    reads=read_faults(),
    publishes=publish_faults(),
    confirms=st.lists(st.booleans(), max_size=6),
    down=st.integers(0, 3),
    deaths=st.lists(st.integers(0, 12), max_size=3),
)


@given(MANY, st.lists(st.lists(CHOICES, max_size=6), min_size=1, max_size=4), TROUBLE, st.integers(0, 3))
def test_each_event_takes_effect_once_whatever_fails(
    events: list[Event], batches: list[list[tuple[int, bool]]], trouble: Trouble, sure: int
) -> None:
    """Store, broker, provider and process fail as they like; then everything is redelivered until it is done.

    Some replicas assume that records begin, which is usually wrong; always assuming it is the worst case.
    """
    world = World(desk, the_bank, store=Watched())
    trouble.befall(world)
    deliveries = [chosen(events, choices) for choices in batches]
    for death in trouble.deaths:
        for batch in deliveries:
            die_after(Replica(world, newcomers=Newcomers(sure)).delivering(batch), death)
    for batch in deliveries:
        open_ones = batch
        for _ in range(30):
            done = Replica(world, newcomers=Newcomers(sure)).deliver(*open_ones)
            open_ones = [delivery for delivery, ok in zip(open_ones, done, strict=True) if not ok]
            if not open_ones:
                break
        assert not open_ones
    assert_once(world, {delivery.identity for batch in deliveries for delivery in batch})


def assert_once(world: World, ids: set[str]) -> None:
    """Check that each id has one outcome, that versions follow each other, and that all of it was released."""
    world.assert_released()
    assert ids <= {outcome.event_id for outcome in world.store.outcomes()}
    for event_id in ids:
        world.store.outcome(event_id)
    versions: dict[tuple[str, str], list[int]] = {}
    for outcome in world.store.outcomes():
        for one in outcome.written:
            if one.changed:
                versions.setdefault((one.kind, one.logical_id), []).append(one.version)
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in versions.values())
    assert sorted(world.provider.done.values()) == sorted(world.wished().values())


class Watched(Store):
    """A store that fails a test when an outcome is replaced by another one."""

    def commit(self, writes: Sequence[Write], beside: Beside | None = None) -> CommitResult:
        """Compare the outcomes before and after the commit."""
        before = {one.event_id: one for one in self.outcomes()}
        answer = super(Watched, self).commit(writes, beside)  # noqa: UP008 - a dataclass with slots is another class
        after = {one.event_id: one for one in self.outcomes()}
        assert {event_id: after[event_id] for event_id in before} == before
        return answer


@given(MANY, st.lists(CHOICES, max_size=12), st.lists(st.integers(1, 5), max_size=6))
def test_coins_are_what_the_events_say_however_they_are_batched(
    events: list[Event], choices: list[tuple[int, bool]], cuts: list[int]
) -> None:
    """One transaction for all, or one for each, gives the same boxes and the same events with the same ids."""
    one_by_one, cut = World(desk, the_bank), World(desk, the_bank)
    batch = [one for one in chosen(events, choices) if one.envelope and one.envelope.type != Asked.wire_type]
    for delivery in batch:
        Replica(one_by_one).deliver(delivery)
    rest = list(batch)
    for size in [*cuts, len(rest)]:
        Replica(cut).deliver(*rest[:size])
        rest = rest[size:]
    assert [state_of(one_by_one, Box, box) for box in "abc"] == [state_of(cut, Box, box) for box in "abc"]
    assert set(one_by_one.broker.ids()) == set(cut.broker.ids())


@given(MANY, st.data())
def test_nudges_are_harmless_at_any_moment(events: list[Event], data: st.DataObject) -> None:
    """Nudges before, between and after deliveries change no result and publish only recorded events."""
    world, calm = World(desk, the_bank), World(desk, the_bank)
    wires = [wire(event, event_id) for event, event_id in zip(events, "abcdefgh", strict=True)]
    for number, attributes in enumerate(wires):
        Replica(calm).deliver(raw(attributes))
        for _ in range(data.draw(st.integers(0, 2))):
            named = data.draw(st.lists(st.sampled_from(wires), max_size=4))
            assert all(Replica(world).deliver(*read_control(nudge(f"n{number}", *named), "desk")))
        Replica(world).deliver(raw(attributes))
    assert world.store.content() == calm.store.content()
    identities = {read_delivery(text.encode()).identity for text in world.broker.texts()}
    assert identities == set(calm.broker.ids())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ATTRIBUTES = ["specversion", "id", "eventid", "type", "source", "subject", "time", "flowid", "traceparent", "data"]


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(ATTRIBUTES), JSON).map(
        lambda some: orjson.dumps(wire(Put(box="a", amount=1), "e1") | some)
    )
)
def test_nothing_that_arrives_can_stop_the_engine(text: bytes) -> None:
    """Any input is settled, and the valid event beside it runs."""
    world = World(desk, the_bank)
    assert Replica(world).deliver(read_delivery(text), came(Put(box="good", amount=1), "good")) == [True, True]
    assert state_of(world, Box, "good") == Box(box="good", coins=1)
    world.assert_released()
