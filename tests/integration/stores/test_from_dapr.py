"""State in a sidecar's store moves into the services' own tables: every id, every outcome, nothing twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from apps.checkout.billing import billing
from apps.checkout.contracts import Line, OrderCreated, StockReserved
from apps.checkout.inventory import inventory
from apps.checkout.shipping import shipping
from choreography import Service
from choreography.conform.store_rig import StoreRig, store_rigged
from choreography.engine.identity import Key, derived_id, intent_key
from choreography.engine.operations import ANY_ETAG, Committed, Limits, Stored, Write
from choreography.in_memory import NOON, InMemory
from choreography.progress import Progress
from choreography.stores.address import DatabaseAddress
from choreography.stores.from_dapr.moving import Moved, move
from choreography.stores.from_dapr.recovering import Old, place_of
from choreography.stores.from_dapr.sources import MoveError, source_at
from choreography.stores.migrating import WantedTables, migrate
from choreography.stores.sqlite import SqliteStore
from choreography.up import dapr
from choreography.up.ports import Ports
from choreography.up.postgres import Postgres
from choreography.up.processes import Processes

STORES = Path(__file__).parents[3] / "components" / "stores"
CREATED = OrderCreated(
    order_id="order/1 ä",
    customer_id="c",
    currency="EUR",
    lines=(Line(sku="kettle", quantity=2, unit_price=5),),
    total=10,
)
NOTE = '{"effect":"charge","key":"k","flow_id":"f","at":"2026-11-30T08:00:00.000Z"}'
RESERVED = StockReserved(order_id=CREATED.order_id, lines=CREATED.lines)
SERVICES = (billing, inventory, shipping)


@dataclass
class Kept:
    """A store of Dapr's with the records of some services, which were settled by the engine that folds outcomes."""

    rig: StoreRig
    url: str
    services: dict[str, InMemory]


def settled(service: Service) -> InMemory:
    """Return a service that has settled its events: with an intent, a waiting join and a missing entity."""
    memory = InMemory(service)
    memory.hear(memory.delivery(RESERVED if service is shipping else CREATED))
    return memory


@pytest.fixture(params=["sqlite", "postgres"])
async def kept(request: pytest.FixtureRequest, server: Postgres, tmp_path: Path) -> Kept:
    """Write records through real sidecars, which have ended by then."""
    async with through_sidecars(request.param, server, tmp_path) as found:
        if request.param == "postgres":
            with pytest.raises(MoveError, match="sessions with the same role"):
                await moved(found, billing, tmp_path)
        else:
            with pytest.raises(MoveError, match=r"has .* open"):
                await moved(found, billing, tmp_path)
    return found


@asynccontextmanager
async def through_sidecars(name: str, server: Postgres, folder: Path) -> AsyncIterator[Kept]:
    """Start sidecars on one kind of store, and let them keep what the services have settled."""
    daprd, _ = await asyncio.to_thread(dapr.find_or_build, Progress.silent())
    component: dict[str, Any] = yaml.safe_load((STORES / f"{name}.yaml").read_text())
    file = folder / "dapr.db"
    connection, url = (str(file), f"sqlite:///{file}") if name == "sqlite" else (server.dsn, server.url_of("checkout"))
    ports = Ports(folder / "ports.json")
    async with (
        Processes() as processes,
        store_rigged(
            daprd,
            component,
            {"STATE_CONNECTION": connection},
            processes=processes,
            ports=ports,
            folder=folder,
            server=None,
        ) as rig,
    ):
        services = {service.name: settled(service) for service in SERVICES}
        for memory in services.values():
            writes = [Write(key, one.value, ANY_ETAG, 9000) for key, one in memory._store.items()]
            name = memory.service.name
            extra = [
                Write(Key(name, "replica", "somewhere:1"), '{"life":"ended"}', ANY_ETAG),
                Write(intent_key(name, derived_id("k", "answer")), NOTE, ANY_ETAG),
                Write(Key(name, "not-yet", "7"), '{"event-9":"release 2"}', ANY_ETAG),
            ]
            assert await rig.one.commit([*writes, *extra]) == Committed()
        yield Kept(rig, url, services)
    ports.release()


def own(service: Service, folder: Path) -> DatabaseAddress:
    """Return the tables of a service."""
    address = DatabaseAddress.read(f"sqlite:///{folder}/{service.name}.db", service.name)
    if not Path(address.file).exists():
        migrate(WantedTables(service, address))
    return address


async def moved(kept: Kept, service: Service, folder: Path) -> Moved:
    """Move one service."""
    address = await asyncio.to_thread(own, service, folder)
    return await move(source_at(kept.url, "", service.name), service.name, address)


def rows_of(address: DatabaseAddress) -> dict[Key, Stored]:
    """Return everything in the tables of a service."""
    with sqlite3.connect(address.file) as file:
        every = " union all ".join(
            f"select service, kind, id, record, etag from {table}"  # noqa: S608 - the names are ours
            for table in ("entity_records", "outcome_records", "note_records")
        )
        return {Key(*row[:3]): Stored(row[3], str(row[4])) for row in file.execute(every)}


async def test_what_was_moved_is_known_again_and_nothing_is_run_twice(kept: Kept, tmp_path: Path) -> None:
    """Ids are found for their hashes, and an outcome inside an entity gets a row of its own."""
    for service in SERVICES:
        before = kept.services[service.name]
        result = await moved(kept, service, tmp_path)
        assert result.left == 1
        rows = rows_of(own(service, tmp_path))
        assert set(before._store) <= set(rows)
        after = InMemory(service, dict(rows), limits=Limits(snapshot_reads=True))
        again = after.hear(after.delivery(RESERVED if service is shipping else CREATED))
        assert after._store == rows, f"{service.name} has run the event again"
        known = before.hear(before.delivery(RESERVED if service is shipping else CREATED))
        assert again.events == known.events
    with sqlite3.connect(tmp_path / "billing.db") as file:
        assert file.execute("select count(*) from intents").fetchone() == (1,)
    with sqlite3.connect(tmp_path / "shipping.db") as file:
        assert file.execute("select id from joins").fetchone() == (CREATED.order_id,)


async def test_a_move_may_be_repeated_until_the_service_has_worked_on(kept: Kept, tmp_path: Path) -> None:
    """The next run writes the rows that an interrupted run left out; newer rows are never overwritten."""
    first = await moved(kept, inventory, tmp_path)
    file = sqlite3.connect(tmp_path / "inventory.db")
    file.execute("delete from outcome_records")
    file.commit()
    assert await moved(kept, inventory, tmp_path) == first
    file.execute('update entity_records set record = \'{"v":9,"s":null}\'')
    file.commit()
    with pytest.raises(MoveError, match="has worked with its own tables since"):
        await moved(kept, inventory, tmp_path)
    assert file.execute("select distinct record from entity_records").fetchall() == [('{"v":9,"s":null}',)]
    store = SqliteStore(own(inventory, tmp_path), "inventory")
    await store.check()
    with pytest.raises(MoveError, match="Stop it"):
        await moved(kept, inventory, tmp_path)
    await store.close()
    file.close()


async def test_it_moves_into_a_schema_as_well(kept: Kept, server: Postgres) -> None:
    """It writes five hundred rows with each statement, and keeps their times."""
    address = DatabaseAddress.read(server.url_of("checkout"), "checkout_billing")
    result = await move(source_at(kept.url, "", "billing"), "billing", address)
    owner = await asyncpg.connect(server.url_of("checkout"))
    expires = await owner.fetch("select expires_at from checkout_billing.outcome_records")
    orders = await owner.fetch("select order_id from checkout_billing.payments")
    await owner.execute("delete from checkout_billing.entity_records; delete from checkout_billing.outcome_records")
    await owner.execute("delete from checkout_billing.note_records")
    await owner.close()
    assert [row[0] for row in expires] == [NOON + timedelta(seconds=Limits().kept_seconds)]
    assert [row[0] for row in orders] == [CREATED.order_id]
    assert result.rows["note_records"] == 2


def rows(memory: InMemory) -> list[dict[str, Any]]:
    """Return the records of a service as rows of Dapr's table."""
    return [{"key": f"app||{key}", "value": json.dumps(one.value)} for key, one in memory._store.items()]


def in_lines(folder: Path, found: list[dict[str, Any]]) -> str:
    """Write rows as any database can, and return the file."""
    file = folder / "state.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in found))
    return str(file)


async def test_rows_of_any_other_database_come_from_a_file(tmp_path: Path) -> None:
    """MySQL's rows are written into lines by one statement."""
    source = source_at(in_lines(tmp_path, [*rows(settled(billing)), *rows(settled(shipping))]), "", "billing")
    address = await asyncio.to_thread(own, billing, tmp_path)
    result = await move(source, "billing", address)
    assert set(settled(billing)._store) <= set(rows_of(address))
    assert result.rows.total() == len(rows_of(address))


async def test_an_id_that_no_record_says_is_named_and_commands_under_way_are_waited_for(tmp_path: Path) -> None:
    """If a record were silently left behind, its entity would begin anew."""
    address = await asyncio.to_thread(own, billing, tmp_path)
    lost = {"key": "app||billing.payment." + "a" * 64, "value": json.dumps('{"v":1,"s":{"order_id":"x"}}')}
    with pytest.raises(MoveError, match=r"1 records of billing hold an id.*billing\.payment\.aaaa"):
        await move(source_at(in_lines(tmp_path, [lost]), "", "billing"), "billing", address)
    under_way = {"key": str(Key("billing", "accepted", "event-1")), "value": json.dumps('["d","t","k","{}"]')}
    with pytest.raises(MoveError, match="choreography drain"):
        await move(source_at(in_lines(tmp_path, [under_way]), "", "billing"), "billing", address)
    vacant = {"key": "app||billing.payment." + "b" * 64, "value": json.dumps('{"v":1,"s":null}')}
    result = await move(source_at(in_lines(tmp_path, [vacant]), "", "billing"), "billing", address)
    assert (result.left, result.rows.total()) == (1, 0)


@pytest.mark.parametrize("text", ["{", '{"key": "x"}', "[]", '"x"'])
async def test_a_line_that_is_no_row_is_named(tmp_path: Path, text: str) -> None:
    """The message gives the number of the line."""
    file = tmp_path / "state.jsonl"
    file.write_text(f"\n{text}\n")
    address = await asyncio.to_thread(own, billing, tmp_path)
    with pytest.raises(MoveError, match="Line 2 of"):
        await move(source_at(str(file), "", "billing"), "billing", address)


def test_keys_of_others_are_passed_over() -> None:
    """Dapr's table may hold what other applications keep."""
    assert place_of("app||something") is None
    assert place_of("order||order.order." + "0" * 64) == ("order", "order", "0" * 64)
    for url in ("mongodb://x/y", "nothing.jsonl"):
        with pytest.raises(MoveError, match="nothing can be read"):
            source_at(url, "", "order")
    with pytest.raises(MoveError, match="no name of a table"):
        source_at("postgresql://x/y", "state; drop", "order")
    assert Old("k", "v").expires is None
