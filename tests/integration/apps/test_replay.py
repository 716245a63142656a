"""Each service's store equals a pure replay of its events, after all the other tests."""

from __future__ import annotations

import sqlite3

import pytest
from rich.console import Console

from apps.checkout.rehearsal import rehearse
from choreography.flow import services_of
from faults.audit.evidence import Message, Store, by_identity, every_record, postgres_rows
from faults.audit.replay import Report, replay
from tests.integration.checkout_client import Checkout


@pytest.mark.timeout(600)
async def test_every_store_equals_a_pure_replay_of_its_events(checkout: Checkout) -> None:
    """Three hundred orders run with faults, on top of earlier tests; no gap, no fork, no difference."""
    console = Console(record=True, width=110)
    assert await rehearse(checkout.flow, 300, console), console.export_text()
    messages = by_identity(
        [Message.read(topic, one.entry, one.raw) for topic in checkout.topics for one in await checkout.entries(topic)]
    )
    for service in services_of("apps.checkout"):
        store = Store.read(service, await _rows(checkout, service.name))
        assert store.outcomes, service.name
        report = replay(messages, store)
        assert report == Report(steps=report.steps)
        assert report.steps


async def _rows(checkout: Checkout, service: str) -> dict[str, str]:
    """Read a store directly, without its service."""
    if checkout.flow.store == "postgres":
        return (await postgres_rows(checkout.flow.postgres_dsn, [service]))[service]
    with sqlite3.connect(checkout.flow.state_file(service)) as file:
        return {f"{service}.{kind}.{ident}": record for kind, ident, record in file.execute(every_record())}
