"""Two releases of one service on one store: each replays by itself what the other quarantined."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import pytest

from choreography import Service
from choreography.engine.identity import Key
from choreography.families import family_of
from choreography.runtime import replaying
from choreography.web.app import build_app
from tests.unit.engine.events import wire
from tests.unit.engine.other_desks import release, with_effect
from tests.unit.engine.releases import newer
from tests.unit.engine.toy import Asked, Box, Left, Opened, Pay, Put, Right, Shoes, desk
from tests.unit.runtime.test_driver import Bank
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ask, batch, ready, until

NOW = datetime.now(UTC).isoformat()


@pytest.fixture
async def sidecar() -> AsyncIterator[FakeSidecar]:
    """One store and one broker for all releases."""
    async with FakeSidecar().listening() as listening:
        yield listening


@asynccontextmanager
async def running(service: Service, sidecar: FakeSidecar, bank: Bank | None = None) -> AsyncIterator[Any]:
    """Run one replica of a release for as long as the block lasts."""
    refused: list[str] = []
    outsides = {"bank": f"http://127.0.0.1:{bank.port if bank else 1}"}
    app = build_app(service, sidecar.settings(self_check=False, outsides=outsides), refused.append)
    async with alive(app):
        await until(lambda: ready(app))
        yield app
    assert not refused


async def deliver(app: Any, *events: dict[str, Any]) -> list[bool]:
    """Deliver a batch from each topic and return for each entry whether it was acknowledged."""
    done: list[bool] = []
    for topic, same in groupby(events, lambda one: family_of(one["type"])):
        _, answer = await ask(app, "POST", "/events", batch(topic, *same))
        done += [one["status"] == "SUCCESS" for one in answer["statuses"]]
    return done


def quarantine(sidecar: FakeSidecar) -> list[str]:
    """Return why events are quarantined."""
    return [one.quarantined.reason for one in sidecar.store.outcomes() if one.quarantined]


async def until_nothing_is_quarantined(sidecar: FakeSidecar) -> None:
    """Wait until all have been replayed."""

    async def home() -> bool:
        return not quarantine(sidecar)

    await until(home, 60.0)


def published(sidecar: FakeSidecar, wire_type: str) -> list[dict[str, Any]]:
    """Return the events of one type that were published."""
    return [event for _, event in sidecar.published if event["type"] == wire_type]


async def until_published(sidecar: FakeSidecar, wire_type: str) -> None:
    """Wait until the commit that ended the quarantine is published as well."""

    async def out() -> bool:
        return bool(published(sidecar, wire_type))

    await until(out, 60.0)


def state(sidecar: FakeSidecar, kind: str, logical_id: str) -> dict[str, Any]:
    """Return the state of an entity."""
    record = sidecar.store.entities()[str(Key("desk", kind, logical_id))]
    assert record.state is not None
    return record.state


def put(number: int) -> dict[str, Any]:
    """Return an event of the next version."""
    return wire(Put(box="b", amount=1), f"put-{number}", type="coins.put.v2", time=NOW)


async def test_what_an_older_release_set_aside_is_replayed_when_the_newer_one_starts(sidecar: FakeSidecar) -> None:
    """S3: all of them are replayed, without a person's request."""
    async with running(desk, sidecar) as app:
        assert await deliver(app, *(put(number) for number in range(231))) == [True] * 231
    assert len(quarantine(sidecar)) == 231
    async with running(newer, sidecar):
        await until_nothing_is_quarantined(sidecar)
    assert state(sidecar, Box.kind, "b")["coins"] == 231


async def test_what_an_older_replica_sets_aside_beside_a_newer_one_comes_home_too(
    sidecar: FakeSidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release is rolled out replica by replica, and the older replicas go on."""
    monkeypatch.setattr(replaying, "_EVERY", 0.1)
    async with running(desk, sidecar) as older, running(newer, sidecar) as newest:
        for number in range(0, 20, 2):
            await deliver(older, put(number))
            await deliver(newest, put(number + 1))
        await until_nothing_is_quarantined(sidecar)
    assert state(sidecar, Box.kind, "b")["coins"] == 20


@pytest.mark.parametrize("first", ["walk", "stride"])
async def test_a_join_that_two_releases_call_otherwise_is_completed_by_the_one_that_began_it(
    sidecar: FakeSidecar, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """H01: this holds in both orders of releases."""
    monkeypatch.setattr(replaying, "_EVERY", 0.1)
    second = "stride" if first == "walk" else "walk"
    left, right = (wire(event, event.wire_type, time=NOW) for event in (Left(box="a"), Right(box="a")))
    async with running(release(join=first), sidecar) as began:
        await deliver(began, left)
        async with running(release(join=second), sidecar) as other:
            await deliver(other, right)
            await until_nothing_is_quarantined(sidecar)
            await until_published(sidecar, "shoes.walked.v1")
    assert state(sidecar, Shoes.kind, "a")["walked"] is True
    assert len(published(sidecar, "shoes.walked.v1")) == 1


async def test_a_deadline_that_fires_at_another_release_comes_home(sidecar: FakeSidecar) -> None:
    """H02: the scheduler gets a success, because the deadline is recorded."""
    opened = wire(Opened(box="a"), "o1", time=NOW, source="desk")
    async with running(release(), sidecar) as app:
        await deliver(app, opened)
    [job] = sidecar.jobs
    async with running(release(deadline="ring_the_bell"), sidecar) as app:
        assert (await ask(app, "POST", "/job/due", job["data"]))[0] == 200
    assert "no deadline of that name; it has ring_the_bell" in quarantine(sidecar)[0]
    async with running(release(), sidecar):
        await until_nothing_is_quarantined(sidecar)
        await until_published(sidecar, "box.reminded.v1")


async def test_an_intent_that_another_release_cannot_carry_out_is_carried_out_once(sidecar: FakeSidecar) -> None:
    """The call has the committed key."""
    bank = Bank()
    asked = wire(Asked(box="a"), "a1", time=NOW)
    async with bank.listening():
        async with running(desk, sidecar, bank) as app:
            # The bank does not reply, so the intent is handed over and the process ends.
            await deliver(app, asked)
        async with running(with_effect("pay_out", Pay), sidecar, bank) as app:
            assert await deliver(app, asked) == [True]
        assert "no effect of this release of desk is named 'pay'" in quarantine(sidecar)[0]
        bank.open.set()
        async with running(desk, sidecar, bank) as app:
            await until_nothing_is_quarantined(sidecar)
            assert await deliver(app, asked) == [True]
    assert state(sidecar, Box.kind, "a")["paid"] is True
    assert len(set(bank.keys)) == 1


async def test_trouble_with_the_store_only_delays_it(sidecar: FakeSidecar, monkeypatch: pytest.MonkeyPatch) -> None:
    """No event counts as tried before it was."""
    monkeypatch.setattr(replaying, "_EVERY", 0.1)
    async with running(desk, sidecar) as app:
        await deliver(app, *(put(number) for number in range(3)))
    async with running(newer, sidecar):
        sidecar.will("read", "500 before", "breaks off before")
        sidecar.will("confirm", "500 before", times=3)
        sidecar.will("commit", "500 before", times=3)
        sidecar.will("publish", "500 before", times=2)
        await until_nothing_is_quarantined(sidecar)
    assert state(sidecar, Box.kind, "b")["coins"] == 3


async def test_a_closed_intake_replays_nothing(sidecar: FakeSidecar) -> None:
    """Its events would go to the broker that is being left."""
    async with running(desk, sidecar) as app:
        await deliver(app, put(1))
    refused: list[str] = []
    settings = sidecar.settings(self_check=False, outsides={"bank": "http://127.0.0.1:1"}, intake_open=False)
    closed = build_app(newer, settings, refused.append)
    reads = len(sidecar.store.confirmed)
    async with alive(closed):
        await until(lambda: ready(closed))
    assert len(quarantine(sidecar)) == 1
    assert refused == []
    assert len(sidecar.store.confirmed) <= reads + 2
