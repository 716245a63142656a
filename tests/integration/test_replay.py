"""Each service's store equals a pure replay of its events, after everything the other tests did to it."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson
import psycopg
import pytest
from rich.console import Console

from apps.checkout.rehearsal import rehearse
from choreography.flow import services_of
from tests.integration.checkout_client import Checkout
from tests.integration.replaying import replay


@pytest.mark.timeout(600)
async def test_every_store_equals_a_pure_replay_of_its_events(checkout: Checkout) -> None:
    """Three hundred orders with faults on, on top of whatever came before; no gap, no fork, no difference."""
    console = Console(record=True, width=110)
    assert await rehearse(checkout.flow, 300, console), console.export_text()
    broker: dict[str, dict[str, Any]] = {}
    for topic in checkout.topics:
        for entry in await checkout.entries(topic):
            try:
                event = entry.attributes
                broker.setdefault(event.get("eventid", event["id"]), event)
            except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError):
                continue
    for service in services_of("apps.checkout"):
        records = await _records(checkout, service.name)
        assert any(".outcome." in key or '"o":' in text for key, text in records.items()), service.name
        assert replay(service, records, broker) == []


async def _records(checkout: Checkout, service: str) -> dict[str, str]:
    """Read a store behind the sidecar's back."""
    prefix = f"{service}||"
    if checkout.flow.store == "sqlite":
        with sqlite3.connect(checkout.flow.state_file(service)) as file:
            rows = file.execute("select key, value from state").fetchall()
    else:
        # The rest of the connection string is for the sidecar's driver; this one does not know it.
        address = " ".join(checkout.flow.postgres_dsn.split()[:5])
        async with await psycopg.AsyncConnection.connect(address) as connection:
            cursor = await connection.execute("select key, convert_from(value, 'utf8') from choreography_state")
            rows = await cursor.fetchall()
    return {
        key.removeprefix(prefix): orjson.loads(value)
        for key, value in rows
        if key.startswith(prefix) and ".probe." not in key and ".canary." not in key and ".replica." not in key
    }
