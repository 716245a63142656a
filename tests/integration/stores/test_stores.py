"""The stores that services connect to directly, on real servers: transactions, snapshots, views, roles."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from choreography.engine.identity import Key
from choreography.engine.operations import ANY_ETAG, Committed, Conflict, Refused, Stored, Write
from choreography.errors import ChoreographyError, SelfCheckError
from choreography.stores.address import DatabaseAddress
from choreography.stores.cleaning import Cleaner
from choreography.stores.migrating import MigrationError, WantedTables, as_text, migrate
from choreography.stores.migrations import NEEDED
from choreography.stores.port import Store
from choreography.stores.postgres import PostgresStore
from choreography.stores.sqlite import SqliteStore
from choreography.telemetry import Metrics
from choreography.up.postgres import Postgres
from tests.integration.databases import ORDER
from tests.integration.postgres_server import pooler

ONE, TWO, NEW = (Key("order", "order", name) for name in ("one", "two", "new"))
DONE = Key("order", "outcome", "event-1")
PLACED: Final = '{"v":1,"s":{"order_id":"one","status":"placed","total":1250,"customer_id":"c\\u00001"}}'
OUTCOME: Final = (
    '["event-1","digest","2026-11-30T08:00:00.000Z",[["order.created","one","{\\"id\\":\\"x\\"}"]],[],[],'
    '[["order","one",1,true]],null,"",null,"order.submitted.v1","one"]'
)


def of_order(server: Postgres, port: int = 0) -> PostgresStore:
    """Return the store of order, with its own role."""
    return PostgresStore(DatabaseAddress.read(server.url_of("checkout_order", port), "checkout_order"), "order")


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, server: Postgres, tmp_path: Path) -> AsyncIterator[Store]:
    """Open an empty store."""
    opened: Store
    if request.param == "sqlite":
        address = DatabaseAddress.read(f"sqlite:///{tmp_path}/order.db", "order")
        migrate(WantedTables(ORDER, address))
        opened = SqliteStore(address, "order")
    else:
        opened = of_order(server)
    await opened.check()
    await opened.commit([Write.deletion(key) for key in (ONE, TWO, NEW, DONE)])
    yield opened
    await opened.close()


async def etag(store: Store, key: Key) -> str:
    """Return the version of a record that is there."""
    found = await store.confirm(key)
    assert isinstance(found, Stored)
    return found.etag


async def test_a_transaction_is_written_whole_or_not_at_all(store: Store) -> None:
    """A stale version or an existing key undoes everything else, and the error names the keys."""
    assert await store.commit([Write(ONE, PLACED, None), Write(TWO, PLACED, None)]) == Committed()
    stale = await etag(store, TWO)
    assert await store.commit([Write(TWO, "{}", stale)]) == Committed()
    answer = await store.commit(
        [Write(ONE, "{}", await etag(store, ONE)), Write(NEW, "{}", None), Write(TWO, "{}", stale)]
    )
    assert isinstance(answer, Conflict)
    assert "order/two" in answer.detail
    assert isinstance(await store.commit([Write(ONE, "{}", None), Write(NEW, "{}", None)]), Conflict)
    assert isinstance(await store.commit([Write(NEW, "{}", ANY_ETAG), Write.deletion(ONE, "7")]), Conflict)
    found = (await store.read((ONE, TWO, NEW))).found
    assert {key: one.value for key, one in found.items()} == {ONE: PLACED, TWO: "{}"}


async def test_a_row_that_was_deleted_and_written_again_has_another_version(store: Store) -> None:
    """Otherwise a writer that read the first row would overwrite the second."""
    await store.commit([Write(ONE, PLACED, None)])
    first = await etag(store, ONE)
    await store.commit([Write.deletion(ONE)])
    await store.commit([Write(ONE, PLACED, None)])
    assert isinstance(await store.commit([Write(ONE, "{}", first)]), Conflict)


async def test_a_batch_reads_the_rows_that_it_names_and_no_others(server: Postgres) -> None:
    """This holds also if its statements were planned once, while the tables were empty."""
    store, few, many = of_order(server), Write(ONE, PLACED, None), 2000
    try:
        for _ in range(8):
            await store.commit([Write.deletion(ONE), Write.deletion(DONE)])
            await store.commit([few, Write(DONE, OUTCOME, None)])
            await store.read((ONE, DONE, TWO))
            await store.commit([Write(ONE, PLACED, await etag(store, ONE))])
        keys = [Key("order", "order", f"many-{number}") for number in range(many)]
        for start in range(0, many, 500):
            assert await store.commit([Write(key, PLACED, None) for key in keys[start : start + 500]]) == Committed()
        before = await _rows_read(server, store)
        for key in keys[:20]:
            await store.read((key, DONE, TWO))
            assert await store.commit([Write(key, "{}", await etag(store, key)), Write.deletion(TWO)]) == Committed()
            assert await store.commit([Write.deletion(key)]) == Committed()
        assert await _rows_read(server, store) - before < 500
        await store.commit([Write.deletion(key) for key in keys])
    finally:
        await store.close()


async def _rows_read(server: Postgres, store: PostgresStore) -> int:
    """Return how many rows the connections of a service have read in the indexes of its tables so far."""
    await asyncio.sleep(1.1)
    # A connection reports its counts with its first statement a second later.
    await store.read((NEW,))
    await asyncio.sleep(0.1)
    connection = await asyncpg.connect(server.url_of("checkout"))
    try:
        counted = await connection.fetchval(
            "select sum(idx_tup_read)::int from pg_stat_user_indexes where schemaname = 'checkout_order'"
        )
    finally:
        await connection.close()
    return int(counted)


async def test_a_row_that_changes_while_it_is_deleted_undoes_the_whole_transaction(server: Postgres) -> None:
    """The row still exists, so the rest must not be committed; the next attempt deletes it."""
    store = of_order(server)
    other = await asyncpg.connect(server.url_of("checkout_order"))
    try:
        await store.commit([Write.deletion(NEW), Write(ONE, PLACED, ANY_ETAG)])
        transaction = other.transaction()
        await transaction.start()
        await other.execute("update checkout_order.entity_records set etag = etag + 1 where id = 'one'")
        deleting = asyncio.create_task(store.commit([Write.deletion(ONE), Write(NEW, PLACED, None)]))
        await asyncio.sleep(0.3)
        assert not deleting.done()
        await transaction.commit()
        assert isinstance(await deleting, Conflict)
        assert set((await store.read((ONE, NEW))).found) == {ONE}
        assert await store.commit([Write.deletion(ONE), Write(NEW, PLACED, None)]) == Committed()
        assert set((await store.read((ONE, NEW))).found) == {NEW}
    finally:
        await other.close()
        await store.close()


async def test_of_many_that_write_one_version_one_wins(store: Store) -> None:
    """Each later writer gets a conflict, and none waits for long."""
    await store.commit([Write(ONE, PLACED, None)])
    version = await etag(store, ONE)
    race = [store.commit([Write(ONE, f'{{"v":{number}}}', version)]) for number in range(12)]
    answers = await asyncio.gather(*race)
    assert sum(isinstance(answer, Committed) for answer in answers) == 1


async def test_texts_come_back_to_the_letter_and_impossible_ids_are_not_there(store: Store) -> None:
    """Numbers, order of keys and NULs in JSON stay; no database holds a lone surrogate."""
    text = '{"v":1,"s":{"b":1.10,"a":-0.0,"n":"\\u0000","long":12345678901234567890}}'
    await store.commit([Write(ONE, text, None)])
    found = await store.confirm(ONE)
    assert isinstance(found, Stored)
    assert found.value == text
    half = Key("order", "order", "\ud800")
    assert isinstance(await store.commit([Write(half, "{}", None)]), Refused)


async def test_people_read_entities_and_outcomes_in_views(store: Store, tmp_path: Path) -> None:
    """There is one column per field, so that anybody who knows SQL can query."""
    await store.commit([Write(ONE, PLACED, None), Write(DONE, OUTCOME, None, 100)])
    asked = "select status, total from {}orders where order_id = 'one'"
    told = "select type, flow_id, quarantined from {}outcomes where event_id = 'event-1'"
    if isinstance(store, SqliteStore):
        with sqlite3.connect(tmp_path / "order.db") as file:
            rows: list[Any] = [file.execute(one.format("")).fetchone() for one in (asked, told)]
    else:
        rows = [
            tuple((await store._fetch(one.format("checkout_order."), ()))[0])  # type: ignore[attr-defined]
            for one in (asked, told)
        ]
    assert rows == [("placed", 1250), ("order.submitted.v1", "one", False)]


async def test_what_is_past_its_time_is_cleaned_in_batches(store: Store) -> None:
    """Nothing else is deleted."""
    keys = [Key("order", "outcome", f"old-{number}") for number in range(5)]
    await store.commit([*(Write(key, OUTCOME, ANY_ETAG, 0) for key in keys), Write(DONE, OUTCOME, ANY_ETAG, 100)])
    await asyncio.sleep(0.05)
    assert isinstance(store, (SqliteStore, PostgresStore))
    gone = [await store.clean("outcome_records", 3) for _ in range(3)]
    assert gone == [3, 2, 0]
    assert await store.overdue() == 0.0
    await store.commit([Write(key, OUTCOME, ANY_ETAG, 0) for key in keys])
    await asyncio.sleep(0.05)
    assert 0.0 < await store.overdue() < 60
    assert await Cleaner(store, Metrics("order")).clean() == len(keys)
    assert list((await store.read((*keys, DONE))).found) == [DONE]


async def test_no_service_reads_the_tables_of_another(server: Postgres) -> None:
    """Each has a schema and a role; one role may read the views of all, and write nothing."""
    billing = await asyncpg.connect(server.url_of("checkout_billing"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await billing.fetch("select * from checkout_order.orders")
    await billing.close()
    reader = await asyncpg.connect(server.url_of("reader"))
    assert await reader.fetch("select * from checkout_billing.payments") == []
    with pytest.raises(asyncpg.PostgresError):
        await reader.execute("delete from checkout_order.entity_records")
    await reader.close()


async def test_a_migration_is_run_twice_without_harm_and_shown_as_statements(server: Postgres) -> None:
    """A job that is repeated changes nothing, and an administrator can do it by hand."""
    owned = DatabaseAddress.read(server.url_of("checkout"), "checkout_order")
    wanted = WantedTables(ORDER, owned, "checkout_order")
    notes = await asyncio.gather(*(asyncio.to_thread(migrate, wanted) for _ in range(2)))
    assert notes == [[], []]
    text = as_text([wanted])
    assert "create table checkout_order.entity_records" in text
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON checkout_order.entity_records" in text
    with pytest.raises(MigrationError):
        await asyncio.to_thread(
            migrate, WantedTables(ORDER, DatabaseAddress.read(server.url_of("reader"), "elsewhere"))
        )


async def test_tables_that_are_missing_or_of_another_release_are_refused(server: Postgres) -> None:
    """The service guesses nothing: the message says what to run."""
    nowhere = PostgresStore(DatabaseAddress.read(server.url_of("checkout_order"), "checkout_shop"), "order")
    with pytest.raises(SelfCheckError, match="Run `choreography migrate`"):
        await nowhere.check()
    await nowhere.close()
    owner = await asyncpg.connect(server.url_of("checkout"))
    await owner.execute("update checkout_order.alembic_version set version_num = '9999'")
    later = of_order(server)
    try:
        with pytest.raises(SelfCheckError, match="Deploy the release"):
            await later.check()
    finally:
        await owner.execute("update checkout_order.alembic_version set version_num = $1", NEEDED)
        await owner.close()
        await later.close()


async def test_a_server_that_would_lose_commits_is_refused(server: Postgres) -> None:
    """Settings of the role count as much as those of the server."""
    owner = await asyncpg.connect(server.url_of("checkout"))
    for setting, words in (
        ("synchronous_commit", "synchronous_commit=off"),
        ("default_transaction_read_only", "only reads"),
    ):
        value = "off" if setting == "synchronous_commit" else "on"
        await owner.execute(f"alter role checkout_order set {setting} = {value}")
        careless = of_order(server)
        with pytest.raises(SelfCheckError, match=words):
            await careless.check()
        await careless.close()
        await owner.execute(f"alter role checkout_order reset {setting}")
    await owner.close()


async def test_a_wrong_password_is_said_and_a_wrong_address_is_refused(server: Postgres) -> None:
    """The service does not wait for a server that refuses."""
    wrong = PostgresStore(
        DatabaseAddress.read(replace(server, password="x").url_of("checkout_order"), "checkout_order"), "order"
    )
    with pytest.raises(SelfCheckError, match="does not let this service in"):
        await wrong.check()
    await wrong.close()
    for url, schema in (("mongodb://x/y", "order"), ("postgresql://x/y", "Order; drop"), ("postgresql://x/y", "order")):
        with pytest.raises(ChoreographyError, match="CHOREOGRAPHY_"):
            DatabaseAddress.read(url, schema)


async def test_a_server_without_tls_is_refused_where_sslmode_asks_for_it(server: Postgres) -> None:
    """The service and `choreography migrate` refuse it; waiting would not mend it."""
    address = DatabaseAddress.read(server.url_of("checkout_order") + "?sslmode=require", "checkout_order")
    store = PostgresStore(address, "order")
    with pytest.raises(SelfCheckError, match="does not encrypt"):
        await store.check()
    await store.close()
    with pytest.raises(MigrationError, match="does not encrypt"):
        await asyncio.to_thread(migrate, WantedTables(ORDER, address))


async def test_two_runs_that_migrate_one_file_take_turns(tmp_path: Path) -> None:
    """A run that fails half-way leaves nothing behind."""
    wanted = WantedTables(ORDER, DatabaseAddress.read(f"sqlite:///{tmp_path}/order.db", "order"))
    await asyncio.gather(*(asyncio.to_thread(migrate, wanted) for _ in range(3)))
    store = SqliteStore(wanted.address, "order")
    await store.check()
    await store.close()


def test_a_url_that_is_none_is_refused_without_its_password() -> None:
    """A slash in a password ends the host; the message does not show what follows it."""
    with pytest.raises(ChoreographyError, match="percent-encoded") as refused:
        DatabaseAddress.read("postgresql://order:se/cret@host:5432/checkout", "checkout_order")
    assert "cret" not in str(refused.value)


async def test_a_second_process_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    """SQLite serves one replica; the message names the way out."""
    address = DatabaseAddress.read(f"sqlite:///{tmp_path}/order.db", "order")
    migrate(WantedTables(ORDER, address))
    first, second = SqliteStore(address, "order"), SqliteStore(address, "order")
    await first.check()
    with pytest.raises(SelfCheckError, match="or use PostgreSQL"):
        await second.check()
    await first.close()
    await second.check()
    await second.close()


@pytest.fixture
async def pooled(server: Postgres, tmp_path: Path) -> AsyncIterator[int]:
    """Run pgbouncer in transaction mode before the server, with two connections for everybody; yield its port."""
    async with pooler(server, "checkout_order", tmp_path) as port:
        yield port


async def test_a_pooler_that_loses_prepared_statements_is_noticed_and_worked_with(
    server: Postgres, pooled: int
) -> None:
    """Debian's pgbouncer gives each transaction to another connection, and knows no prepared statement."""
    store = of_order(server, pooled)
    await store.check()
    keys = [Key("order", "order", f"pooled-{number}") for number in range(40)]
    noticed = await asyncio.gather(*(store.commit([Write(key, PLACED, ANY_ETAG)]) for key in keys))
    # Each waited for a connection and ran its statement twice at most: none reached its time limit.
    assert noticed == [Committed()] * len(keys)
    answers = await asyncio.gather(*(store.commit([Write(key, PLACED, ANY_ETAG)]) for key in keys))
    for _ in range(3):
        read = await asyncio.gather(*(store.read((key,)) for key in keys))
    assert answers == [Committed()] * len(keys)
    assert [list(values.found) for values in read] == [[key] for key in keys]
    await store.close()
