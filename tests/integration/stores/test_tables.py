"""The tables of services for people: views that show every row, migrations, files that do not open."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from choreography import Entity, Service
from choreography.engine.identity import Key
from choreography.engine.operations import ANY_ETAG, Committed, Stored, Unknown, Write
from choreography.errors import SelfCheckError
from choreography.stores import connections
from choreography.stores.address import DatabaseAddress, schema_of
from choreography.stores.migrating import MigrationError, WantedTables, as_text, migrate
from choreography.stores.own_connection import OwnConnection
from choreography.stores.port import Store
from choreography.stores.postgres import PostgresStore
from choreography.stores.sqlite import SqliteStore
from choreography.up.postgres import Postgres
from faults.proxy import Proxy
from tests.integration.databases import ORDER, READER

FOREIGN: Final = (
    '{"v":1,"s":{"order_id":7,"status":["placed"],"total":"many","customer_id":{"a":1}}}',
    '{"v":"one","s":{"order_id":"huge","total":123456789012345678901234567890},"g":3,"j":{"join":7}}',
    '{"v":2,"s":"no object"}',
    "[]",
    "no JSON",
)
"""Records as no release of today writes them."""


async def of_order(server: Postgres) -> PostgresStore:
    """Return the store of order, with its own role."""
    return PostgresStore(DatabaseAddress.read(server.url_of("checkout_order"), "checkout_order"), "order")


@pytest.fixture(params=["sqlite", "postgres"])
async def opened(
    request: pytest.FixtureRequest, server: Postgres, tmp_path: Path
) -> AsyncIterator[tuple[Store, Callable[[str], Awaitable[list[Any]]]]]:
    """Open a store, and a function that queries its views."""
    if request.param == "sqlite":
        address = DatabaseAddress.read(f"sqlite:///{tmp_path}/order.db", "order")
        migrate(WantedTables(ORDER, address))
        store: Store = SqliteStore(address, "order")
        file = sqlite3.connect(tmp_path / "order.db")

        async def ask(question: str) -> list[Any]:
            return file.execute(question.replace("checkout_order.", "")).fetchall()
    else:
        store = await of_order(server)
        reader = await asyncpg.connect(server.url_of(READER))

        async def ask(question: str) -> list[Any]:
            return [tuple(row) for row in await reader.fetch(question)]

    yield store, ask
    await store.close()
    if request.param == "sqlite":
        file.close()
    else:
        await reader.close()


async def test_one_row_in_another_form_hides_no_other(
    opened: tuple[Store, Callable[[str], Awaitable[list[Any]]]],
) -> None:
    """One bad row must not make a view fail: a value that a column cannot show is null there."""
    store, ask = opened
    kinds = ("order", "outcome", "intent", "accepted")
    writes = [
        Write(Key("order", kind, f"foreign-{number}"), text, ANY_ETAG)
        for kind in kinds
        for number, text in enumerate((*FOREIGN, '["e","d",5,"no list",[7],[[1]],{"a":1},null,"",["reason","x"],1,2]'))
    ]
    if isinstance(store, SqliteStore):
        # An index of a list reads each entity, so SQLite accepts no entity that is not JSON.
        writes = [write for write in writes if (write.key.kind, write.value) != ("order", "no JSON")]
    assert await store.commit(writes) == Committed()
    for view in ("orders", "entities", "outcomes", "quarantine", "intents", "joins", "accepted_commands"):
        await ask(f"select * from checkout_order.{view}")  # noqa: S608 - the names are ours
    entities = sum(write.key.kind == "order" for write in writes)
    assert len(await ask("select 1 from checkout_order.entities where id like 'foreign-%'")) == entities
    totals = {row[0] for row in await ask("select total from checkout_order.orders where order_id = 'huge'")}
    assert [int(total) for total in totals] == [123456789012345678901234567890] or totals == {1.2345678901234568e29}
    await store.commit([Write.deletion(write.key) for write in writes])


async def test_a_service_cleans_and_counts_only_what_is_its_own(
    opened: tuple[Store, Callable[[str], Awaitable[list[Any]]]],
) -> None:
    """Several services may share a schema: expired records of another are not this one's delay."""
    store, ask = opened
    theirs = Key("somebody-else", "outcome", "old")
    assert isinstance(store, (SqliteStore, PostgresStore))
    assert await store.commit([Write(Key("order", "outcome", "old"), "[]", ANY_ETAG, 0)]) == Committed()
    if isinstance(store, SqliteStore):
        other: Store = store
        await store.commit([Write(theirs, "[]", ANY_ETAG, 0)])
    else:
        other = PostgresStore(store._address, theirs.service)
        await other.commit([Write(theirs, "[]", ANY_ETAG, 0)])
    await asyncio.sleep(0.05)
    assert await store.clean("outcome_records", 100) == 1
    assert await store.overdue() == 0.0
    assert await ask("select event_id from checkout_order.outcomes where service = 'somebody-else'") == [("old",)]
    await other.commit([Write.deletion(theirs)])
    if other is not store:
        await other.close()


class Parcel(Entity, key="parcel_id"):
    """As of yesterday."""

    parcel_id: str
    weight: int


class Later(Entity, key="parcel_id", kind="parcel"):
    """With one field more."""

    parcel_id: str
    weight: int
    colour: str = ""


class Otherwise(Entity, key="parcel_id", kind="parcel"):
    """With a field of another type."""

    parcel_id: str
    weight: str


class Keeping(Service):
    """A service that keeps one kind of entity and hears nothing."""

    def __init__(self, entity: type[Entity]) -> None:
        super().__init__("parcels")
        self._entity = entity

    @property
    def entities(self) -> frozenset[type[Entity]]:
        """The entities it owns."""
        return frozenset({self._entity})


def parcels(server: Postgres, entity: type[Entity]) -> WantedTables:
    """Return the tables of a service that keeps parcels."""
    return WantedTables(Keeping(entity), DatabaseAddress.read(server.url_of("checkout"), "checkout_parcels"))


async def test_a_view_of_somebody_stands_on_ours_and_a_new_field_does_not_hurt_it(server: Postgres) -> None:
    """If our view must be replaced, the message names the user's view, and nothing was changed."""
    await asyncio.to_thread(migrate, parcels(server, Parcel))
    owner = await asyncpg.connect(server.url_of("checkout"))
    await owner.execute("create view heavy as select parcel_id from checkout_parcels.parcels where weight > 10")
    await asyncio.to_thread(migrate, parcels(server, Later))
    assert await owner.fetch("select colour from checkout_parcels.parcels") == []
    with pytest.raises(MigrationError, match=r"view heavy depends on view checkout_parcels\.parcels.*Nothing was"):
        await asyncio.to_thread(migrate, parcels(server, Otherwise))
    assert await owner.fetch("select colour from checkout_parcels.parcels") == []
    await owner.execute("drop view heavy")
    await asyncio.to_thread(migrate, parcels(server, Otherwise))
    await owner.close()


async def test_an_index_is_made_without_stopping_anybody_and_an_unfinished_one_is_made_again(server: Postgres) -> None:
    """An interrupted index stays, useless, until somebody drops it."""
    owner, wanted = (
        await asyncpg.connect(server.url_of("checkout")),
        WantedTables(ORDER, _owned(server), "checkout_order"),
    )
    valid = "select indisvalid from pg_index where indexrelid = 'checkout_order.outcomes_by_time'::regclass"
    assert await owner.fetchval(valid)
    await owner.execute("drop index checkout_order.outcomes_by_time")
    # This login is not the service's, whose idle transactions the server ends.
    writer = await asyncpg.connect(server.url_of("checkout"))
    transaction = writer.transaction()
    await transaction.start()
    await writer.execute("delete from checkout_order.outcome_records where id = 'nobody'")
    await owner.execute("set statement_timeout = '2s'")
    with pytest.raises(asyncpg.QueryCanceledError):
        await owner.execute("create index concurrently outcomes_by_time on checkout_order.outcome_records (changed_at)")
    await transaction.rollback()
    await owner.execute("reset statement_timeout")
    assert not await owner.fetchval(valid)
    await asyncio.gather(*(asyncio.to_thread(migrate, wanted) for _ in range(2)))
    assert await owner.fetchval(valid)
    # A table of a few rows is sorted faster than its index is read.
    await owner.execute("set enable_sort = off")
    plan = await owner.fetch("explain select event_id from checkout_order.outcomes order by at desc limit 20")
    assert any("outcomes_by_time" in line[0] for line in plan)
    await owner.close()
    await writer.close()


def test_statements_are_printed_from_the_migration_that_is_there(server: Postgres) -> None:
    """An administrator needs only the new ones; an unknown migration is named with the known ones."""
    wanted = [WantedTables(ORDER, _owned(server), "checkout_order")]
    text = as_text(wanted, since="0001")
    assert "create table checkout_order.entity_records" not in text
    assert "as_number" in text
    assert "CREATE INDEX CONCURRENTLY" in text
    with pytest.raises(MigrationError, match=r"no migration '7'. Known are: 0001, 0002"):
        as_text(wanted, since="7")


async def test_a_server_that_is_frozen_makes_all_wait_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """If thirty waited one after another, their time limits would add up."""
    monkeypatch.setattr(connections, "SECONDS", 2.0)
    held = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append((reader, writer))
        await asyncio.sleep(60)

    frozen = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = frozen.sockets[0].getsockname()[1]
    store = PostgresStore(DatabaseAddress.read(f"postgresql://one:two@127.0.0.1:{port}/x", "checkout_order"), "order")
    began = time.monotonic()
    keys = [Key("order", "order", str(number)) for number in range(30)]
    answers = await asyncio.gather(*(store.commit([Write(key, "{}", None)]) for key in keys))
    assert all(isinstance(answer, Unknown) and not answer.answered for answer in answers)
    assert time.monotonic() - began < 6
    await store.close()
    frozen.close()
    for _, writer in held:
        writer.close()


async def test_the_server_compiles_nothing_for_a_service(server: Postgres) -> None:
    """Behind a pooler the server compiled asyncpg's query about types for seven seconds."""
    service = await asyncpg.connect(server.url_of("checkout_order"))
    assert await service.fetchval("show jit") == "off"
    await service.close()


def _damaged(file: Path) -> None:
    file.write_bytes(b"no database, " * 100)


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


async def test_a_commit_whose_answer_is_lost_is_unknown_and_may_have_been_done(server: Postgres) -> None:
    """The result is read back; a yes or a no would be a guess."""
    async with Proxy(lambda: server.port, random.Random(1)) as proxy:
        store = PostgresStore(
            DatabaseAddress.read(server.url_of("checkout_order", proxy.port), "checkout_order"), "order"
        )
        key = Key("order", "order", "lost-answer")
        assert await store.confirm(key) is None
        # The statement is prepared by then, so the lost reply is that of the commit.
        for _ in range(2):
            assert await store.commit([Write(key, "{}", None)]) == Committed()
            await store.commit([Write.deletion(key)])
        proxy.behave("loses answers", share=1.0)
        answer = await store.commit([Write(key, "{}", None)])
        proxy.behave()
        assert isinstance(answer, Unknown)
        assert not answer.answered
        stored = await store.confirm(key)
        assert isinstance(stored, Stored)
        await store.commit([Write.deletion(key)])
        await store.close()


async def test_what_could_not_be_read_is_not_absent(server: Postgres, tmp_path: Path) -> None:
    """An event whose outcome could not be read would be run again."""
    (tmp_path / "nothing.db").touch()
    nowhere: list[Store] = [
        PostgresStore(DatabaseAddress.read(server.url_of("checkout_order"), "checkout_nowhere"), "order"),
        SqliteStore(DatabaseAddress.read(f"sqlite:///{tmp_path}/nothing.db", "order"), "order"),
    ]
    keys = [Key("order", kind, "one") for kind in ("order", "outcome", "intent")]
    for store in nowhere:
        values = await store.read(keys)
        assert (values.found, values.failed) == ({}, frozenset(keys))
        assert isinstance(await store.confirm(keys[0]), Unknown)
        await store.close()


async def test_records_of_two_services_in_one_schema_stay_apart(server: Postgres, tmp_path: Path) -> None:
    """Every key holds the service."""
    migrate(WantedTables(ORDER, store_address(tmp_path)))
    schema = DatabaseAddress.read(server.url_of("checkout_order"), "checkout_order")
    pairs: list[list[Store]] = [
        [SqliteStore(store_address(tmp_path), name) for name in ("order", "other")],
        [PostgresStore(schema, name) for name in ("order", "other")],
    ]
    for pair in pairs:
        keys = [Key(name, "order", "same") for name in ("order", "other")]
        for number, (store, key) in enumerate(zip(pair, keys, strict=True)):
            assert await store.commit([Write(key, str(number), ANY_ETAG)]) == Committed()
        for number, (store, key) in enumerate(zip(pair, keys, strict=True)):
            values = await store.read([key])
            assert [one.value for one in values.found.values()] == [str(number)]
            await store.commit([Write.deletion(key)])
            await store.close()


def test_no_two_processes_name_their_statements_alike() -> None:
    """A pooler may give one server connection to both, and one would run the other's statement."""
    names = {OwnConnection._get_unique_id(None, "stmt") for _ in range(2)}  # type: ignore[arg-type]
    assert len(names) == 2
    assert all(len(name) > 32 for name in names)


@pytest.mark.parametrize(
    ("hurt", "words"),
    [
        (Path.unlink, "There is no file"),
        (_damaged, "no SQLite database"),
        (_folder, "cannot be opened"),
        (lambda file: sqlite3.connect(file).executescript("drop table alembic_version"), "at migration none"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_with_the_true_reason(
    tmp_path: Path, hurt: Callable[[Path], object], words: str
) -> None:
    """Only for missing tables does the message name `migrate`."""
    store = _file(tmp_path)
    for name in ("order.db-wal", "order.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    hurt(tmp_path / "order.db")
    with pytest.raises(SelfCheckError, match=words):
        await store.check()
    await store.close()


async def test_a_file_that_somebody_has_locked_is_said_to_be(tmp_path: Path) -> None:
    """The message used to say that it has no tables."""
    store = _file(tmp_path)
    other = sqlite3.connect(tmp_path / "order.db", isolation_level=None)
    other.execute("pragma locking_mode = exclusive")
    other.execute("begin exclusive")
    with pytest.raises(SelfCheckError, match="locked by another program"):
        await store.check()
    other.close()
    await store.close()
    again = SqliteStore(store_address(tmp_path), "order")
    await again.check()
    await again.close()


def test_a_service_without_a_flow_has_a_schema_that_postgres_can_have() -> None:
    """Its name may be an SQL keyword."""
    assert [schema_of("", name) for name in ("order", "3d-print", "billing")] == [
        "service_order",
        "service_3d_print",
        "billing",
    ]
    for name in ("order", "user", "3d-print"):
        DatabaseAddress.read("postgresql://x/y", schema_of("", name))


def store_address(folder: Path) -> DatabaseAddress:
    """Return the address of a file."""
    return DatabaseAddress.read(f"sqlite:///{folder}/order.db", "order")


def _file(folder: Path) -> SqliteStore:
    migrate(WantedTables(ORDER, store_address(folder)))
    return SqliteStore(store_address(folder), "order")


def _owned(server: Postgres) -> DatabaseAddress:
    return DatabaseAddress.read(server.url_of("checkout"), "checkout_order")
