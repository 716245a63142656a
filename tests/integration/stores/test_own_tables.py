"""Tables of a service's own in the transaction that commits an event, on real databases."""

# ruff: noqa: ARG001 - a reaction and a hook are told by their parameters, also of what they do not look into

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from choreography import Committing, Decision, Entity, Event, Id, Service, Value
from choreography.engine.beside import Beside, HookCall, Rows
from choreography.engine.identity import Key
from choreography.engine.operations import CommitResult, Committed, Conflict, Failed, Unknown, Write
from choreography.errors import SelfCheckError
from choreography.own_tables import Hook, Projection, read_hook
from choreography.stores.address import DatabaseAddress
from choreography.stores.migrating import WantedTables, migrate
from choreography.stores.postgres import PostgresStore
from choreography.stores.sqlite import SqliteStore
from choreography.up.postgres import Postgres
from tests.integration.postgres_server import pooler, postgres_server


class Placed(Event, type="thing.placed.v1", owner="street", subject="order_id"):
    """Somebody wants something."""

    order_id: Id


class Order(Entity, key="order_id"):
    """What is wanted."""

    order_id: Id
    skus: tuple[str, ...] = ()


class Line(Value):
    """One row of each type of field."""

    order_id: Id
    line: int
    sku: str
    price: Decimal = Decimal("1.10")
    fragile: bool = True
    day: date = date(2026, 1, 2)
    at: datetime = datetime(2026, 1, 2, 3, tzinfo=UTC)
    tags: tuple[str, ...] = ("a", 'b"')
    note: str | None = None


shop = Service("shop")


@shop.on(Placed)
def follow(order: Order, placed: Placed) -> Decision:
    """Keep what is wanted."""
    return order


@shop.projection("order_lines", key=("order_id", "line"))
def lines(order: Order) -> tuple[Line, ...]:
    """A row for each line."""
    return tuple(Line(order_id=order.order_id, line=line, sku=sku) for line, sku in enumerate(order.skus))


LINES = shop.projections[0]
POSTGRES_TABLE = """
    create table shop.order_lines (
        order_id text, line smallint, sku varchar(10) not null, price numeric(10, 2),
        fragile boolean, day date, at timestamptz, tags jsonb, note text, written int not null default 1,
        primary key (order_id, line)
    );
    create table shop.notes (event_id text primary key, said text unique);
    create function shop.count() returns trigger language plpgsql as
        $$ begin new.written = old.written + 1; return new; end $$;
    create trigger count before update on shop.order_lines for each row execute function shop.count();
    grant select, insert, update, delete on shop.order_lines, shop.notes to shop
"""
SQLITE_TABLE = """
    create table order_lines (
        order_id text, line integer, sku text not null, price text, fragile boolean, day text, at text,
        tags text, note text, written integer not null default 1, primary key (order_id, line)
    );
    create table notes (event_id text primary key, said text unique);
    create trigger count after update on order_lines when new.written = old.written
        begin update order_lines set written = old.written + 1 where rowid = new.rowid; end;
"""


class Base(DeclarativeBase):
    """Models of an application that was there before."""


class Note(Base):
    """What an application keeps."""

    __tablename__ = "notes"
    event_id: Mapped[str] = mapped_column(primary_key=True)
    said: Mapped[str]


@dataclass
class Desk:
    """One store, and a connection of its own for looking into its tables."""

    store: PostgresStore | SqliteStore
    look: Callable[[str], Awaitable[list[tuple[Any, ...]]]]
    sqlite: bool
    number: int = field(default=0)

    async def commit(self, *calls: HookCall, rows: Sequence[Rows] = (), key: str = "") -> CommitResult:
        """Commit one record together with these own-table writes."""
        self.number += 1
        write = Write(Key("shop", "outcome", key or f"event-{self.number}"), "[]", None)
        return await self.store.commit([write], "", Beside(tuple(rows), calls))

    async def committed(self) -> int:
        """Return how many records there are."""
        [[count]] = await self.look("select count(*) from outcome_records")
        return int(count)


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    """Run PostgreSQL with the schema of the shop and two tables of its own in it."""
    async with postgres_server(tmp_path_factory.mktemp("postgres"), "shop") as server:
        owned = DatabaseAddress.read(server.url_of("checkout"), "shop")
        await asyncio.to_thread(migrate, WantedTables(shop, owned, "shop"))
        owner = await asyncpg.connect(server.url_of("checkout"))
        await owner.execute(POSTGRES_TABLE)
        await owner.close()
        yield server


def own(*hooks: Hook) -> Service:
    """Return a service with one projection and these hooks."""
    service = Service("shop")
    service.projections, service.hooks = [LINES], list(hooks)
    return service


@pytest.fixture
async def postgres(server: Postgres) -> AsyncIterator[Desk]:
    """Open the schema on PostgreSQL, empty."""
    owner = await asyncpg.connect(server.url_of("checkout"), server_settings={"search_path": "shop"})
    await owner.execute("truncate entity_records, outcome_records, order_lines, notes")
    store = PostgresStore(DatabaseAddress.read(server.url_of("shop"), "shop"), "shop", own())

    async def look(statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await owner.fetch(statement)]

    yield Desk(store, look, sqlite=False)
    await store.close()
    await owner.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def desk(request: pytest.FixtureRequest, postgres: Desk, tmp_path: Path) -> AsyncIterator[Desk]:
    """Open an empty store of either kind."""
    if request.param == "postgres":
        yield postgres
        return
    address = DatabaseAddress.read(f"sqlite:///{tmp_path}/shop.db", "shop")
    migrate(WantedTables(shop, address))
    file = sqlite3.connect(address.file)
    file.executescript(SQLITE_TABLE)

    async def look(statement: str) -> list[tuple[Any, ...]]:
        return file.execute(statement).fetchall()

    store = SqliteStore(address, "shop", own())
    yield Desk(store, look, sqlite=True)
    await store.close()
    file.close()


def rows_of(projection: Projection, *orders: Order, gone: Sequence[str] = ()) -> list[Rows]:
    """Return the rows of some orders, after checking that other orders have none."""
    some = [(one.key, projection.rows(one)) for one in orders]
    return [
        Rows(projection, key, tuple(row.model_dump(mode="json") for row in rows))
        for key, rows in (*some, *((key, ()) for key in gone))
    ]


def called(function: Callable[..., Any], event_id: str = "e1") -> HookCall:
    """Return a call of a hook about an event."""
    now = datetime.now(UTC)
    committing = Committing(event_id, "thing.placed.v1", "f", now, Placed(order_id="a"), (), (), ())
    return HookCall(read_hook(function, ()), committing)


async def test_rows_replace_those_that_an_entity_had(desk: Desk) -> None:
    """Rows that are gone are deleted, new ones written, and unchanged ones left alone."""
    await desk.store.check()
    first = [Order(order_id="a", skus=("cup", "pot", "jug")), Order(order_id="b", skus=("cup",))]
    assert await desk.commit(rows=rows_of(LINES, *first)) == Committed()
    assert await desk.commit(rows=rows_of(LINES, Order(order_id="a", skus=("cup", "lid")))) == Committed()
    seen = await desk.look("select order_id, line, sku, written from order_lines order by 1, 2")
    assert seen == [("a", 0, "cup", 1), ("a", 1, "lid", 2), ("b", 0, "cup", 1)]
    assert await desk.commit(rows=rows_of(LINES, gone=["a"])) == Committed()
    assert [row[0] for row in await desk.look("select order_id from order_lines")] == ["b"]


async def test_each_type_of_field_is_written_exactly(desk: Desk) -> None:
    """A decimal as a decimal, a moment with its zone, a tuple as JSON, None as null."""
    assert await desk.commit(rows=rows_of(LINES, Order(order_id="ä'\"", skus=("cup",)))) == Committed()
    columns = "order_id, price, fragile, day, at, tags, note"
    [row] = await desk.look(f"select {columns} from order_lines")  # noqa: S608
    if desk.sqlite:
        assert row == ("ä'\"", "1.10", 1, "2026-01-02", "2026-01-02T03:00:00Z", '["a","b\\""]', None)
    else:
        expected = (Decimal("1.10"), True, date(2026, 1, 2), datetime(2026, 1, 2, 3, tzinfo=UTC))
        assert row == ("ä'\"", *expected, '["a", "b\\""]', None)


async def test_a_row_that_the_table_refuses_fails_and_leaves_nothing(desk: Desk) -> None:
    """Neither the record nor another row of the statement is written; the error names the projection."""
    good = rows_of(LINES, Order(order_id="a", skus=("cup",)))
    bad = Rows(LINES, "b", ({**good[0].rows[0], "order_id": "b", "sku": None},))
    answer = await desk.commit(rows=[*good, bad])
    assert isinstance(answer, Failed)
    assert "The projection lines failed in the transaction" in answer.detail
    assert await desk.committed() == 0
    assert await desk.look("select * from order_lines") == []


async def test_a_conflict_calls_no_hook_and_writes_no_row(desk: Desk) -> None:
    """The first replica has done all of it."""
    calls: list[str] = []

    def note(connection: Connection, committing: Committing) -> None:
        calls.append(committing.event_id)

    assert await desk.commit(called(note), key="same") == Committed()
    answer = await desk.commit(called(note), rows=rows_of(LINES, Order(order_id="a", skus=("cup",))), key="same")
    assert isinstance(answer, Conflict)
    assert calls == ["e1"]
    assert await desk.look("select * from order_lines") == []


def saving(connection: Connection, committing: Committing) -> None:
    """Save a model by a session, which commits."""
    with Session(bind=connection) as session:
        session.add(Note(event_id=committing.event_id, said=f"of {committing.event_id}"))
        session.commit()


def undoing(connection: Connection, committing: Committing) -> None:
    """Save a model, and roll it back."""
    with Session(bind=connection) as session:
        session.add(Note(event_id=committing.event_id, said="undone"))
        session.flush()
        session.rollback()


def failing(connection: Connection, committing: Committing) -> None:
    """Write, then fail."""
    saving(connection, committing)
    raise ValueError("thought better of it")


def repeating(connection: Connection, committing: Committing) -> None:
    """Break a constraint of the user's own."""
    connection.execute(text("insert into notes values ('x', 'same'), ('y', 'same')"))


def ending(connection: Connection, committing: Committing) -> None:
    """Try to end the transaction."""
    saving(connection, committing)
    connection.execute(text("COMMIT"))


@pytest.fixture
async def in_path(desk: Desk, server: Postgres) -> AsyncIterator[Desk]:
    """Let the role find tables without their schema, as a user's models do."""
    owner = await asyncpg.connect(server.url_of("checkout"))
    await owner.execute("alter role shop set search_path = shop")
    yield desk
    await owner.execute("alter role shop reset search_path")
    await owner.close()


async def test_a_session_bound_to_the_connection_takes_part_in_the_transaction(in_path: Desk) -> None:
    """Its commits take effect with the event, and its rollbacks undo only its own statements."""
    assert await in_path.commit(called(saving, "e1"), called(undoing, "e2"), called(saving, "e3")) == Committed()
    assert await in_path.look("select event_id from notes order by 1") == [("e1",), ("e3",)]
    assert await in_path.committed() == 1


@pytest.mark.parametrize("function", [failing, repeating, ending])
async def test_a_hook_that_fails_leaves_nothing_of_the_transaction(in_path: Desk, function: Callable[..., Any]) -> None:
    """The record, the rows and other hooks' writes are undone; the next transaction works."""
    rows = rows_of(LINES, Order(order_id="a", skus=("cup",)))
    answer = await in_path.commit(called(saving, "e0"), called(function), rows=rows)
    assert isinstance(answer, Failed)
    assert f"The hook {function.__name__} failed" in answer.detail
    assert function.__name__ in answer.stack
    assert await in_path.committed() == 0
    assert await in_path.look("select event_id from notes union all select order_id from order_lines") == []
    assert await in_path.commit(called(saving, "e0"), rows=rows) == Committed()


async def with_asyncpg(connection: asyncpg.Connection, committing: Committing) -> None:
    """Write by asyncpg, with a part that is undone."""
    await connection.execute("insert into shop.notes values ($1, 'by ' || $1)", committing.event_id)
    try:
        async with connection.transaction():
            await connection.execute("insert into shop.notes values ($1, 'twice')", committing.event_id)
    except asyncpg.UniqueViolationError:
        pass


async def with_async_session(connection: AsyncConnection, committing: Committing) -> None:
    """Write by a session of SQLAlchemy."""
    async with AsyncSession(bind=connection) as session:
        await session.execute(text("set local search_path = shop"))
        session.add(Note(event_id=f"{committing.event_id}-too", said="by SQLAlchemy"))
        await session.commit()
        assert len((await session.scalars(select(Note))).all()) == 2


async def test_hooks_of_all_kinds_share_one_transaction_on_postgres(postgres: Desk) -> None:
    """Each sees the writes of the hooks before it."""
    assert await postgres.commit(called(with_asyncpg), called(with_async_session)) == Committed()
    seen = await postgres.look("select event_id, said from notes order by 1")
    assert seen == [("e1", "by e1"), ("e1-too", "by SQLAlchemy")]


def statement(query: str) -> Callable[..., Any]:
    """Return a hook that runs a statement."""

    async def run(connection: asyncpg.Connection, committing: Committing) -> None:
        await connection.execute(query)

    return run


@pytest.mark.parametrize(
    "query",
    [
        "commit",
        "ROLLBACK",
        "-- so\n end",
        "insert into shop.notes values ('x', 'y'); commit; begin",
        "set search_path = shop",
        "/* a */ reset all",
        "listen x",
    ],
)
async def test_a_statement_that_would_outlast_the_event_is_refused(postgres: Desk, query: str) -> None:
    """It is refused before it is sent, so that neighbours are not committed without their hooks."""
    answer = await postgres.commit(called(statement(query)))
    assert isinstance(answer, Failed)
    assert "must not run" in answer.detail
    assert await postgres.committed() == 0


@pytest.mark.parametrize(
    "query",
    [
        "set local search_path = shop",
        "insert into shop.notes values ('x', '; commit')",
        "do $$ begin perform 1; end $$",
        "savepoint one; rollback to savepoint one; release one",
    ],
)
async def test_a_statement_that_stays_in_its_transaction_is_run(postgres: Desk, query: str) -> None:
    """No statement is refused because of a word inside it."""
    assert await postgres.commit(called(statement(query))) == Committed()


async def keeping_an_error_to_itself(connection: asyncpg.Connection, committing: Committing) -> None:
    """Catch an error and go on."""
    with suppress(asyncpg.PostgresError):
        await connection.execute("select 1 / 0")


async def test_an_error_that_a_hook_keeps_to_itself_is_noticed(postgres: Desk) -> None:
    """PostgreSQL answers the commit of such a transaction with a rollback, and no error."""
    answer = await postgres.commit(called(keeping_an_error_to_itself))
    assert isinstance(answer, Failed)
    assert "went on as if nothing had happened" in answer.detail
    assert await postgres.committed() == 0


async def sleeping(connection: AsyncConnection, committing: Committing) -> None:
    """Take too long."""
    await connection.execute(text("select pg_sleep(60)"))


async def blocking(connection: asyncpg.Connection, committing: Committing) -> None:
    """Block the event loop of this process."""
    time.sleep(0.5)  # noqa: ASYNC251 - it is the mistake
    await connection.execute("select 1")


@pytest.mark.parametrize("function", [sleeping, blocking])
async def test_hooks_are_bounded_by_time(
    postgres: Desk, monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any]
) -> None:
    """Rows are locked meanwhile; the server works, so the timeout counts as a failure of the hook."""
    monkeypatch.setattr("choreography.stores.postgres_tables._SECONDS", 0.2)
    answer = await postgres.commit(called(function))
    assert isinstance(answer, Failed)
    assert "TimeoutError" in answer.detail
    assert await postgres.committed() == 0
    assert await postgres.commit() == Committed()


async def test_a_replica_that_freezes_in_a_hook_gives_its_locks_back(postgres: Desk, server: Postgres) -> None:
    """The limits of its role end its transaction, so another one goes on before it wakes up."""
    owner = await asyncpg.connect(server.url_of("checkout"))
    await owner.execute("alter role shop set idle_in_transaction_session_timeout = '200ms'")
    went_on: list[str] = []

    async def freezing(connection: asyncpg.Connection, committing: Committing) -> None:
        await connection.execute("lock table shop.notes")
        await owner.execute("insert into shop.notes values ('other', 'other')", timeout=5)
        went_on.append("the other")
        await connection.execute("select 1")

    try:
        answer = await postgres.commit(called(freezing))
    finally:
        await owner.execute("alter role shop set idle_in_transaction_session_timeout = '5s'")
        await owner.close()
    assert isinstance(answer, Unknown)
    assert went_on == ["the other"]
    assert await postgres.committed() == 0


async def losing(connection: asyncpg.Connection, committing: Committing) -> None:
    """Lose the connection, as if the server had gone."""
    await connection.fetch("select pg_terminate_backend(pg_backend_pid())")


async def test_a_lost_server_and_a_lock_of_somebody_else_are_no_failure_of_a_hook(
    postgres: Desk, server: Postgres
) -> None:
    """The event is tried again, without an attempt of the hook being counted."""
    assert isinstance(await postgres.commit(called(losing)), Unknown)
    owner = await asyncpg.connect(server.url_of("checkout"))
    async with owner.transaction():
        await owner.execute("lock table shop.notes")
        answer = await postgres.commit(called(with_asyncpg))
    await owner.close()
    assert isinstance(answer, Conflict)
    assert await postgres.committed() == 0


async def test_a_deferred_constraint_of_the_users_fails_its_event(postgres: Desk, server: Postgres) -> None:
    """It is checked only at the commit, whose refusal is no conflict with another replica."""
    owner = await asyncpg.connect(server.url_of("checkout"))
    await owner.execute("alter table shop.notes add constraint late unique (said) deferrable initially deferred")
    await owner.execute("alter table shop.notes drop constraint notes_said_key")
    try:
        answer = await postgres.commit(called(statement("insert into shop.notes values ('x', 's'), ('y', 's')")))
    finally:
        await owner.execute("alter table shop.notes drop constraint late, add unique (said)")
        await owner.close()
    assert isinstance(answer, Failed)
    assert "checked at the commit" in answer.detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("rename order_lines to elsewhere", "there is no such table"),
        ("alter order_lines drop column sku", "it has no column 'sku'"),
        ("alter order_lines alter column price type bigint", "'price' is bigint, and the field needs numeric"),
        ("alter order_lines alter column at type timestamp", "'at' is timestamp without time zone"),
        ("alter order_lines alter column note set not null", "'note' must not be null, and the field may be None"),
        ("alter order_lines add column owner text not null", "'owner' must not be null and has no default"),
        ("alter order_lines drop constraint order_lines_pkey", "no unique index is on"),
        ("revoke update on order_lines", "lacks update on it"),
        ("alter role", "no lock_timeout"),
    ],
)
async def test_a_table_that_does_not_fit_is_refused_at_the_start(server: Postgres, change: str, words: str) -> None:
    """The message names the column, the index or the right; the library changes nothing."""
    owner = await asyncpg.connect(server.url_of("checkout"))
    store = PostgresStore(DatabaseAddress.read(server.url_of("shop"), "shop"), "shop", own())
    await owner.execute("begin")
    try:
        if change == "alter role":
            await owner.execute("alter role shop set lock_timeout = 0")
        elif change.startswith("rename"):
            await owner.execute("alter table shop.order_lines rename to elsewhere")
        elif change.startswith("revoke"):
            await owner.execute("revoke update on shop.order_lines from shop")
        else:
            await owner.execute(change.replace("alter order_lines", "alter table shop.order_lines", 1))
        await owner.execute("commit")
        with pytest.raises(SelfCheckError, match=words):
            await store.check()
    finally:
        await owner.execute("drop table if exists shop.order_lines, shop.elsewhere, shop.notes cascade")
        await owner.execute("drop function shop.count")
        await owner.execute(POSTGRES_TABLE)
        await owner.execute("alter role shop set lock_timeout = '2s'")
        await owner.close()
        await store.close()


async def test_a_file_without_the_table_is_refused_at_the_start(tmp_path: Path) -> None:
    """A file is checked as PostgreSQL is."""
    address = DatabaseAddress.read(f"sqlite:///{tmp_path}/shop.db", "shop")
    migrate(WantedTables(shop, address))
    store = SqliteStore(address, "shop", own())
    with pytest.raises(SelfCheckError, match="there is no such table"):
        await store.check()
    await store.close()


async def test_behind_a_pooler_without_prepared_statements_it_works(
    server: Postgres, postgres: Desk, tmp_path: Path
) -> None:
    """Each transaction may use another server connection, without earlier prepared statements."""
    async with pooler(server, "shop", tmp_path) as port:
        store = PostgresStore(DatabaseAddress.read(server.url_of("shop", port), "shop"), "shop", own())
        behind = Desk(store, postgres.look, sqlite=False)
        answers: list[CommitResult] = []
        for turn in range(6):
            calls = [called(with_asyncpg, f"e{turn}"), called(saving_in_schema, f"s{turn}")]
            rows = [rows_of(LINES, Order(order_id=f"o{number}", skus=("cup",) * turn)) for number in range(4)]
            behind.number = turn * 10
            answers += await asyncio.gather(
                behind.commit(*calls, rows=rows[0]), *(behind.commit(rows=one) for one in rows[1:])
            )
        await store.close()
    assert [type(answer).__name__ for answer in answers if not isinstance(answer, (Committed, Unknown))] == []
    assert sum(isinstance(answer, Committed) for answer in answers) >= 20
    assert len(await postgres.look("select * from notes")) >= 10


def saving_in_schema(connection: Connection, committing: Committing) -> None:
    """Save a model without a search path."""
    lent = connection.execution_options(schema_translate_map={None: "shop"})
    saving(lent, committing)
