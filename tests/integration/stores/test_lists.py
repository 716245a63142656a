"""Lists on real databases: pages from indexes, filters of every type, entities from before, old releases beside new."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, NewType
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from choreography import Decision, Entity, Event, Id, Money, Service
from choreography.engine.identity import Key
from choreography.engine.operations import ANY_ETAG, Committed, Write
from choreography.engine.records import EntityRecord
from choreography.errors import SelfCheckError
from choreography.listing import ListRequest, PagePlace, ask
from choreography.stores.address import DatabaseAddress
from choreography.stores.listed import filling, indexes, page
from choreography.stores.migrating import WantedTables, as_text, migrate
from choreography.stores.postgres import PostgresStore
from choreography.stores.sqlite import SqliteStore
from choreography.up.postgres import Postgres
from tests.integration.postgres_server import postgres_server

Name = NewType("Name", str)
Opened = PostgresStore | SqliteStore
SCHEMA: Final = "house_desk"


class Colour(StrEnum):
    """An Enum."""

    RED = "red"
    BLUE = "blue"


class Parcel(Entity, key="parcel_id"):
    """Has a field of every type that can be asked for."""

    parcel_id: Id
    owner: str = ""
    weight: int = 0
    paid: bool = False
    state: Literal["new", "sent"] | None = None
    colour: Colour = Colour.RED
    day: date = date(2026, 1, 1)
    sent_at: datetime | None = None
    price: Decimal = Decimal("1.10")
    named: Name | None = Field(default=None, alias="theName")
    total: Money = 0
    code: UUID | None = None
    takes: timedelta = timedelta(0)
    notes: tuple[str, ...] = ()


class Came(Event, type="parcel.came.v1", subject="parcel_id"):
    """A parcel came."""

    parcel_id: Id


def released(*lists: Mapping[str, Any]) -> Service:
    """Return a release of one service, with these lists."""
    desk = Service("desk")
    for one in lists:
        desk.view(one.get("path", "/parcels"), Parcel, by=one["by"], newest_first=one.get("newest_first", False))

    @desk.on(Came)
    def keep(parcel: Parcel, came: Came) -> Decision:
        return parcel.but(owner=came.parcel_id)

    desk.check()
    return desk


EVERY: Final = (
    "owner weight paid state colour day sent_at price named total code takes".split()  # noqa: SIM905 - reads best
)
DESK: Final = released(
    {"by": tuple(EVERY), "newest_first": True}, {"path": "/pairs", "by": ("owner", ("state", "paid"))}
)
LIST, PAIRS = DESK.lists
PLAIN: Final = released()


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    """Run PostgreSQL with an owner and a service's role."""
    async with postgres_server(tmp_path_factory.mktemp("postgres"), SCHEMA, owner="house") as database:
        yield database


class House:
    """One empty database, and releases of the service that keeps its records there."""

    def __init__(self, server: Postgres | None, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.stores: list[Opened] = []

    def address(self, role: str = "house") -> DatabaseAddress:
        """Return where the database is."""
        if self.server is None:
            return DatabaseAddress.read(f"sqlite:///{self.folder}/desk.db", "desk")
        return DatabaseAddress.read(self.server.url_of(role), SCHEMA)

    async def migrate(self, service: Service, *, contract: bool = False) -> None:
        """Bring the tables to a release."""
        wanted = WantedTables(service, self.address(), SCHEMA, contract=contract)
        await asyncio.to_thread(migrate, wanted)

    def open(self, service: Service) -> Opened:
        """Open the store of a release; of a file this is the only one."""
        opened: Opened
        if self.server is None:
            opened = SqliteStore(self.address(), "desk", lists=service.lists)
        else:
            opened = PostgresStore(self.address(SCHEMA), "desk", lists=service.lists)
        self.stores.append(opened)
        return opened

    async def ask_owner(self, statement: str) -> list[Any]:
        """Run a statement as the owner of the tables."""
        if self.server is None:
            with sqlite3.connect(self.folder / "desk.db") as file:
                return file.execute(statement.format("")).fetchall()
        owner = await asyncpg.connect(self.server.url_of("house"))
        try:
            return list(await owner.fetch(statement.format(f"{SCHEMA}.")))
        finally:
            await owner.close()

    async def close(self) -> None:
        """Close everything, and leave nothing behind."""
        for store in self.stores:
            await store.close()
        if self.server is not None:
            await self.ask_owner(f"drop schema if exists {SCHEMA} cascade")


@pytest.fixture(params=["sqlite", "postgres"])
async def house(request: pytest.FixtureRequest, server: Postgres, tmp_path: Path) -> AsyncIterator[House]:
    """Make room for a database."""
    made = House(server if request.param == "postgres" else None, tmp_path)
    yield made
    await made.close()


def parcel(parcel_id: str, **fields: Any) -> Write:
    """Return an unguarded write of a parcel."""
    state = Parcel(parcel_id=parcel_id, **fields).model_dump(mode="json")
    return Write(Key("desk", "parcel", parcel_id), EntityRecord(1, state).encode(), ANY_ETAG)


def gone(parcel_id: str) -> Write:
    """Return the write of a tombstone."""
    return Write(Key("desk", "parcel", parcel_id), EntityRecord(2, None, gone=True).encode(), ANY_ETAG)


async def found(store: Opened, query: str, view: Any = LIST) -> list[str]:
    """Return the ids of a page."""
    rows = await store.page(ask(view, query.encode()))
    assert isinstance(rows, list), rows
    return [row.logical_id for row in rows]


async def test_every_type_of_field_is_asked_for_by_what_its_values_are(house: House) -> None:
    """Equal values are found however they were written, null has its own parameter, and nothing else matches."""
    await house.migrate(DESK)
    store = house.open(DESK)
    await store.check()
    noon = datetime(2026, 1, 1, 12, 0, 0, 500000, tzinfo=timezone(timedelta(hours=2)))
    one = {
        "owner": "ann",
        "weight": -5,
        "paid": True,
        "state": "sent",
        "colour": Colour.BLUE,
        "day": date(2026, 2, 3),
        "sent_at": noon,
        "price": Decimal("1.50E+2"),
        "named": "O'Neil:x",
        "total": 7,
        "code": UUID(int=7),
        "takes": timedelta(days=1),
    }
    await store.commit([parcel("one", **one), parcel("two")])
    for query in (
        "owner=ann weight=-5 paid=true state=sent colour=blue day=2026-02-03 sent_at=2026-01-01T10:00:00.5Z price=150 "
        f"price=150.00 theName=O%27Neil%3ax total=7 code={UUID(int=7)} takes=P1DT0S owner=ann&paid=true&total=7"
    ).split():
        assert await found(store, query) == ["one"], query
    for query in (
        "owner=",
        "weight=0",
        "paid=false",
        "null=state",
        "colour=red",
        "price=1.1",
        "null=theName&null=code",
    ):
        assert await found(store, query) == ["two"], query
    for query in ("owner=bob", "price=15", "weight=5", "sent_at=2026-01-01T12:00:00Z", "owner=ann&paid=false"):
        assert await found(store, query) == [], query


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=90)
moments = st.datetimes(timezones=st.timezones() | st.sampled_from([UTC, timezone(-timedelta(hours=23, minutes=59))]))
decimals = st.decimals(allow_nan=False, allow_infinity=False)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=st.lists(st.tuples(texts, moments, decimals, st.integers(-(2**53) + 1, 2**53 - 1)), max_size=4))
def test_databases_and_requests_agree_on_the_text_of_a_value(
    agreeing: tuple[House, asyncio.AbstractEventLoop], states: list[tuple[Any, ...]]
) -> None:
    """Otherwise a request would look for an entity at another place of the index."""
    house, loop = agreeing
    parcels = []
    for number, (owner, moment, price, weight) in enumerate(states):
        try:
            fields = {"owner": owner, "sent_at": moment, "price": price, "weight": weight}
            parcels.append(Parcel(parcel_id=f"p{number}", **fields))
        except ValueError:
            # This is outside the years of UTC.
            continue

    async def agree() -> None:
        store = house.stores[0] if house.stores else house.open(DESK)
        await store.commit([parcel(f"p{number}") for number in range(4)])
        await store.commit(
            [parcel(one.parcel_id, **one.model_dump(by_alias=False, exclude={"parcel_id"})) for one in parcels]
        )
        for one in parcels:
            state = one.model_dump(mode="json")
            for field in ("owner", "sent_at", "price", "weight"):
                wanted = {field: LIST.filters[field].kept_in(state)}
                rows = await store.page(ListRequest(LIST, wanted, 200))
                assert not isinstance(rows, list) or one.parcel_id in [row.logical_id for row in rows], (field, state)
                assert isinstance(rows, list)

    loop.run_until_complete(agree())


@pytest.fixture(params=["sqlite", "postgres"])
def agreeing(request: pytest.FixtureRequest, server: Postgres, tmp_path: Path) -> Any:
    """Make a database for a test that runs the loop itself."""
    house = House(server if request.param == "postgres" else None, tmp_path)
    migrate(WantedTables(DESK, house.address(), SCHEMA))
    loop = asyncio.new_event_loop()
    yield house, loop
    loop.run_until_complete(house.close())
    loop.close()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.integers(0, 25),
    limit=st.integers(1, 7),
    newest_first=st.booleans(),
    steps=st.lists(st.tuples(st.sampled_from(["new", "owner", "weight", "gone"]), st.integers(0, 40)), max_size=30),
)
def test_pages_show_nothing_twice_and_leave_nothing_out_while_others_write(
    agreeing: tuple[House, asyncio.AbstractEventLoop],
    first: int,
    limit: int,
    newest_first: bool,
    steps: list[tuple[str, int]],
) -> None:
    """Anything may change between two pages; an entity that exists and does not change is shown once."""
    house, loop = agreeing
    walked = released({"by": ("owner",), "newest_first": newest_first})
    migrate(WantedTables(walked, house.address(), SCHEMA))
    (view,) = walked.lists

    async def walk() -> None:
        store = house.open(walked)
        await house.ask_owner("delete from {}entity_records" + (" returning 1" if house.server else ""))
        for number in range(first):
            await store.commit([parcel(f"{number:02}", owner="ann")])
        changed, seen, after, left = set[str](), list[str](), None, list(steps)
        while True:
            rows = await store.page(ListRequest(view, {"owner": "=ann"}, limit, after))
            assert isinstance(rows, list)
            seen += [row.logical_id for row in rows[:limit]]
            if len(rows) <= limit:
                break
            after = PagePlace(rows[limit - 1].born, rows[limit - 1].logical_id)
            for what, number in left[:5]:
                parcel_id = f"new-{number}" if what == "new" else f"{number:02}"
                changed.add(parcel_id)
                owner = "bob" if what == "owner" else "ann"
                await store.commit([gone(parcel_id) if what == "gone" else parcel(parcel_id, owner=owner, weight=7)])
            left = left[5:]
        assert len(seen) == len(set(seen))
        assert {f"{number:02}" for number in range(first)} - changed <= set(seen)
        unchanged = [one for one in seen if one not in changed]
        assert unchanged == sorted(unchanged, reverse=newest_first)
        await store.close()
        house.stores.remove(store)

    loop.run_until_complete(walk())


async def test_what_was_there_before_the_list_is_in_it_in_the_order_of_its_first_write(house: House) -> None:
    """This includes writes of the old release while the list is made, and after."""
    await house.migrate(PLAIN)
    old = house.open(PLAIN)
    for number in range(1200 if house.server else 30):
        if number % 100 == 0 or not house.server:
            await old.commit(
                [parcel(f"{one:04}", owner="ann") for one in range(number, number + 100)][: 100 if house.server else 1]
            )
    await old.commit([gone("0003"), parcel("0005", owner="bob"), parcel("0007", owner="ann", weight=9)])
    writing = True

    async def go_on() -> int:
        turn = 0
        while writing:
            turn += 1
            answer = await old.commit([parcel("0009", owner=f"ann-{turn}"), parcel(f"later-{turn}", owner="ann")])
            assert isinstance(answer, Committed)
            await asyncio.sleep(0.002)
        return turn

    busy = asyncio.create_task(go_on())
    await house.migrate(DESK)
    writing = False
    turns = await busy
    await old.commit([parcel("0011", owner="late"), parcel("after", owner="late")])
    new = house.open(DESK)
    assert await found(new, "owner=late") == ["after", "0011"]
    assert await found(new, "owner=bob") == ["0005"]
    assert await found(new, f"owner=ann-{turns}") == ["0009"]
    ids, after = list[str](), None
    while True:
        rows = await new.page(ListRequest(LIST, {}, 200, after))
        assert isinstance(rows, list)
        ids += [row.logical_id for row in rows[:200]]
        if len(rows) <= 200:
            break
        after = PagePlace(rows[199].born, rows[199].logical_id)
    there = [f"{one:04}" for one in range(1200 if house.server else 30) if one != 3]
    assert [one for one in reversed(ids) if one.isdigit()] == there
    assert {f"later-{turn}" for turn in range(1, turns + 1)} <= set(ids)


async def test_what_is_deleted_or_only_holds_a_place_is_in_no_list(house: House) -> None:
    """It appears again once it exists again."""
    await house.migrate(DESK)
    store = house.open(DESK)
    vacant = Write(Key("desk", "parcel", "vacant"), EntityRecord(1, None).encode(), ANY_ETAG)
    await store.commit([parcel("one"), parcel("two"), vacant])
    await store.commit([gone("one")])
    assert await found(store, "") == ["two"]
    await store.commit([parcel("vacant"), parcel("one")])
    assert sorted(await found(store, "")) == ["one", "two", "vacant"]


async def test_a_state_from_before_a_field_has_its_default_and_a_renamed_field_its_value(house: House) -> None:
    """A list shows the state as a reaction would see it."""
    await house.migrate(DESK)
    store = house.open(DESK)
    state = {"parcel_id": "old", "named": "by its own name"}
    await store.commit([Write(Key("desk", "parcel", "old"), EntityRecord(1, state).encode(), ANY_ETAG)])
    for query in ("colour=red", "price=1.1", "null=state", "theName=by+its+own+name", "owner=&paid=false"):
        assert await found(store, query) == ["old"], query


async def test_texts_that_no_index_takes_are_written_and_found(house: House) -> None:
    """Such texts are long, or have a NUL, which is stored but cannot be asked for."""
    await house.migrate(DESK)
    store = house.open(DESK)
    long = "ü" * 20_000
    answer = await store.commit(
        [parcel("long", owner=long), parcel("nul", owner="a\x00b"), parcel("quoted", owner="'\"\\")]
    )
    assert answer == Committed()
    assert await found(store, f"owner={long}".replace("ü", "%C3%BC")) == ["long"]
    assert await found(store, "owner=%27%22%5C") == ["quoted"]
    assert len(await found(store, "")) == 3


async def test_a_service_without_the_index_of_a_list_refuses_to_start(house: House) -> None:
    """Otherwise it would scan the whole table for each page."""
    await house.migrate(PLAIN)
    with pytest.raises(SelfCheckError, match=r"lists at /parcels, /pairs need the index .* Run `choreography migrate`"):
        await house.open(DESK).check()


async def test_indexes_of_an_old_release_stay_until_the_contract(house: House) -> None:
    """Otherwise the old release, which still runs, would scan the whole table."""
    old = released({"by": ("owner", "weight")})
    await house.migrate(old)
    await house.migrate(PLAIN)
    new = released({"by": ("price", "owner")})
    await house.migrate(new)
    before = house.open(old)
    await before.check()
    await before.commit([parcel("one", owner="ann", weight=4)])
    assert await found(before, "weight=4", old.lists[0]) == ["one"]
    await before.close()
    await house.migrate(new, contract=True)
    with pytest.raises(SelfCheckError, match="weight"):
        await house.open(old).check()
    house.stores.remove(before)
    await house.stores.pop().close()
    after = house.open(new)
    await after.check()
    await after.commit([parcel("two", owner="ann", price=Decimal(3))])
    assert await found(after, "price=3.0", new.lists[0]) == ["two"]
    await house.migrate(PLAIN, contract=True)
    await after.commit([parcel("three")])
    if house.server is not None:
        left = await house.ask_owner(
            f"select proname from pg_proc p join pg_namespace n on n.oid = pronamespace where nspname = '{SCHEMA}' "
            "and proname in ('list_parcel', 'listed_parcel') union all select tgname::text from pg_trigger "
            "where tgname like 'list\\_%'"
        )
        assert left == []


async def test_an_index_that_was_given_up_half_way_is_made_anew(server: Postgres, tmp_path: Path) -> None:
    """PostgreSQL leaves such an index, writes to it and never reads it."""
    house = House(server, tmp_path)
    try:
        await house.migrate(DESK)
        name = indexes("desk", DESK.lists, SCHEMA)[1].name
        await house.ask_owner(f"drop index {SCHEMA}.{name}")
        reader, owner = await asyncpg.connect(server.url_of("house")), await asyncpg.connect(server.url_of("house"))
        async with reader.transaction(isolation="repeatable_read"):
            await reader.fetch(f"select 1 from {SCHEMA}.entity_records")
            await owner.execute("set statement_timeout = '300ms'")
            (made,) = (index for index in indexes("desk", DESK.lists, SCHEMA) if index.name == name)
            with pytest.raises(asyncpg.QueryCanceledError):
                await owner.execute(made.statement)
        await reader.close()
        await owner.close()
        with pytest.raises(SelfCheckError, match=name):
            await house.open(DESK).check()
        await asyncio.gather(house.migrate(DESK), house.migrate(DESK))
        await house.open(DESK).check()
    finally:
        await house.close()


async def test_an_administrator_can_do_all_of_it_by_hand(server: Postgres, tmp_path: Path) -> None:
    """It works statement by statement, on tables with entities."""
    house = House(server, tmp_path)
    try:
        await house.migrate(PLAIN)
        store = house.open(PLAIN)
        await store.commit([parcel("one", owner="ann")])
        text = as_text([WantedTables(DESK, house.address(), SCHEMA)])
        made = [statement for index in indexes("desk", DESK.lists, SCHEMA) for statement in [index.statement]]
        assert all(statement in text for statement in (*made, *filling("desk", DESK.lists, SCHEMA)))
        for statement in text[text.index(f"insert into {SCHEMA}.list_fields") :].split(";\n\n"):
            await house.ask_owner(statement.replace("{", "{{").replace("}", "}}"))
        assert await found(house.open(DESK), "owner=ann") == ["one"]
    finally:
        await house.close()


async def test_a_page_is_read_from_an_index_among_a_hundred_thousand(house: House) -> None:
    """This holds with no filter, one, or all declared together, forwards and backwards."""
    few = released({"by": ("owner",)}, {"path": "/pairs", "by": ("owner", ("state", "paid")), "newest_first": True})
    await house.migrate(few)
    single, pairs = few.lists
    record = (
        '\'{{"v":1,"s":{{"parcel_id":"\' || n || \'","owner":"o\' || n % 1000 || \'","paid":true,"state":"sent"}}}}\''
    )
    series = (
        "generate_series(1, 100000) as n"
        if house.server
        else "(with recursive s(n) as (select 1 union all select n + 1 from s where n < 100000) select n from s)"
    )
    await house.ask_owner(
        "insert into {}entity_records (service, kind, id, etag, record) "
        f"select 'desk', 'parcel', n, n, {record} from {series} returning 1"
    )
    last = PagePlace(0, "")
    for view, query, after in (
        (single, b"", None),
        (single, b"owner=o7", None),
        (single, b"owner=o7", last),
        (pairs, b"state=sent&paid=true", PagePlace(2**62, "x")),
        (pairs, b"state=sent&paid=true&owner=o9", None),
    ):
        asked = ask(view, query)
        asked = ListRequest(view, asked.wanted, asked.limit, after)
        statement, arguments = page("desk", asked, SCHEMA if house.server else "")
        rows = await house.open(few).page(asked) if house.server else None
        assert rows is None or len(rows) == asked.limit + 1  # type: ignore[arg-type]
        if house.server is None:
            with sqlite3.connect(house.folder / "desk.db") as file:
                plan = "\n".join(row[3] for row in file.execute(f"explain query plan {statement}", arguments))
            assert "USING INDEX list_parcel" in plan.replace('"', "")
            assert "TEMP B-TREE" not in plan
            assert "SCAN" not in plan
            continue
        client = await asyncpg.connect(house.server.url_of(SCHEMA))
        plan = "\n".join(row[0] for row in await client.fetch(f"explain analyze {statement}", *arguments))
        await client.close()
        assert "using list_parcel" in plan, plan
        assert "Sort" not in plan, plan
        assert f"rows={asked.limit + 1}" in plan, plan
        if b"owner" not in query or b"state" not in query:
            assert "Rows Removed" not in plan, plan
