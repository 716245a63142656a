"""The publishing lane: which events share a call, and that one event's failure does not hurt another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from choreography.engine.operations import Limits
from choreography.engine.records import Outgoing
from choreography.runtime.publishing import Publishing
from choreography.sidecar.client import SidecarClient
from tests.unit.sidecar.fake_sidecar import FakeSidecar


@pytest.fixture
async def fake() -> AsyncIterator[FakeSidecar]:
    """Start a sidecar that publishes slowly, so that others gather behind the first."""
    fake = FakeSidecar(slow={"publish": 0.05})
    async with fake.listening():
        yield fake


@pytest.fixture
async def sidecar(fake: FakeSidecar) -> AsyncIterator[SidecarClient]:
    """Connect to it."""
    sidecar = SidecarClient(fake.settings())
    yield sidecar
    await sidecar.close()


def event(name: str, topic: str = "desk") -> Outgoing:
    """Return an event that contains its name."""
    return Outgoing(topic, name, orjson.dumps({"id": name}).decode())


def names(fake: FakeSidecar) -> list[str]:
    """Return the names of published events, in order."""
    return [said["id"] for _, said in fake.published]


async def test_who_waits_for_a_topic_shares_a_call(fake: FakeSidecar, sidecar: SidecarClient) -> None:
    """Events that come together share a call; later ones share the next, in their order."""
    lane = Publishing(sidecar, Limits())
    first = [asyncio.create_task(lane.publish([event(f"{n}")])) for n in range(2)]
    await asyncio.sleep(0.01)
    await asyncio.gather(*first, *(lane.publish([event(f"{n}")]) for n in range(2, 9)))
    assert fake.calls == [("desk", 2), ("desk", 7)]
    assert names(fake) == [f"{n}" for n in range(9)]


async def test_topics_do_not_wait_for_each_other(fake: FakeSidecar, sidecar: SidecarClient) -> None:
    """Each has a call of its own."""
    lane = Publishing(sidecar, Limits())
    await asyncio.gather(lane.publish([event("a", "one")]), lane.publish([event("b", "two")]))
    assert sorted(fake.calls) == [("one", 1), ("two", 1)]


async def test_a_call_carries_only_so_much(fake: FakeSidecar, sidecar: SidecarClient) -> None:
    """Events that must be published together stay together."""
    lane = Publishing(sidecar, Limits(publish_count=4))
    await asyncio.gather(*(lane.publish([event(f"{n}-{k}") for k in range(3)]) for n in range(4)))
    assert [count for _, count in fake.calls] == [3, 3, 3, 3]
    small = Publishing(sidecar, Limits(publish_bytes=25))
    await asyncio.gather(*(small.publish([event(f"{n}")]) for n in range(4)))
    assert sum(count for _, count in fake.calls[4:]) == 4
    assert len(fake.calls[4:]) >= 2


async def test_each_hears_of_its_own_failures_only(fake: FakeSidecar, sidecar: SidecarClient) -> None:
    """Each group learns only of its own failures, although the sidecar numbers the whole call's entries."""
    lane = Publishing(sidecar, Limits())
    first = asyncio.create_task(lane.publish([event("first")]))
    await asyncio.sleep(0.01)
    fake.will("publish", "none", "partly")
    answers = await asyncio.gather(first, lane.publish([event("a"), event("b")]), lane.publish([event("c")]))
    assert list(answers) == [frozenset(), frozenset({0}), frozenset()]
    assert names(fake) == ["first", "b", "c"]


async def test_strangers_do_not_fail_with_what_the_broker_refuses(fake: FakeSidecar, sidecar: SidecarClient) -> None:
    """A call that failed as a whole is repeated for each group, as one of them may be the cause."""
    lane = Publishing(sidecar, Limits())
    first = asyncio.create_task(lane.publish([event("first")]))
    await asyncio.sleep(0.01)
    fake.will("publish", "none", "500 before", "500 before")
    answers = await asyncio.gather(first, *(lane.publish([event(name)]) for name in "abc"))
    assert sorted(answers, key=len) == [frozenset(), frozenset(), frozenset(), frozenset({0})]


async def test_a_lane_that_stops_lets_nobody_wait(fake: FakeSidecar, sidecar: SidecarClient) -> None:
    """Each caller is released without an answer, so the causing event is redelivered."""
    fake.slow["publish"] = 30
    lane = Publishing(sidecar, Limits())
    waiting = [asyncio.create_task(lane.publish([event(f"{n}")])) for n in range(3)]
    await asyncio.sleep(0.01)
    await lane.close()
    assert all(
        isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*waiting, return_exceptions=True)
    )
