"""Everything that the auditor reads, directly from store, broker and provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

import aiohttp
import orjson
import psycopg

from choreography.flow import services_of
from choreography.service import Service
from choreography.topics import dead_letters
from faults.accounts import Account, Attack, account_of
from faults.orders import Ordered
from faults.replicated_flow import FLOW, NAMES, TOPICS, Broker, entries

_BESIDE: Final = (
    "outcome",
    "replica",
    "probe",
    "canary",
    "not-yet",
    "accepted",
    "accepted-about",
    "accepted-slot",
    "intent",
    "to-publish",
)
"""Kinds of records that are no entities."""


@dataclass(frozen=True)
class Record:
    """One stored entity: its state, its version, and the outcomes that are kept inside it."""

    kind: str
    version: int
    state: dict[str, Any] | None
    folded: tuple[OutcomeRecord, ...]


@dataclass(frozen=True)
class OutcomeRecord:
    """The record of one service about one event, in the form that auditors are promised."""

    event_id: str
    events: tuple[tuple[str, str, str], ...]
    dues: tuple[tuple[str, str], ...]
    wishes: tuple[tuple[Any, ...], ...]
    written: tuple[tuple[str, str, int, bool], ...]
    heard: str
    quarantined: tuple[str, int, str, str] | None

    @classmethod
    def read(cls, raw: list[Any]) -> OutcomeRecord:
        """Read the stored form by the positions of its parts."""
        bad = raw[9]
        return cls(
            event_id=raw[0],
            events=tuple((topic, key, text) for topic, key, text in raw[3]),
            dues=tuple((at, text) for at, text in raw[4]),
            wishes=tuple(tuple(wish) for wish in raw[5]),
            written=tuple((kind, one, version, changed) for kind, one, version, changed in raw[6]),
            heard=raw[8],
            quarantined=(bad[0], bad[1], bad[2], bad[3]) if bad else None,
        )


@dataclass(frozen=True)
class Store:
    """The content of one service's part of the store."""

    service: Service
    records: tuple[Record, ...]
    outcomes: tuple[OutcomeRecord, ...]

    def states(self, kind: str, key: str) -> dict[str, dict[str, Any]]:
        """Return every state of one kind by its logical id."""
        return {one.state[key]: one.state for one in self.records if one.kind == kind and one.state}

    @classmethod
    def read(cls, service: Service, rows: Mapping[str, str]) -> Store:
        """Sort the content of the store into entities and outcomes."""
        records: list[Record] = []
        outcomes: list[OutcomeRecord] = []
        for key, text in rows.items():
            kind = key.split(".")[1]
            if kind == "outcome":
                outcomes.append(OutcomeRecord.read(orjson.loads(text)))
            elif kind not in _BESIDE:
                raw = orjson.loads(text)
                folded = tuple(OutcomeRecord.read(one) for one in raw.get("o", {}).values())
                records.append(Record(kind, raw["v"], raw["s"], folded))
                outcomes += folded
        return cls(service, tuple(records), tuple(outcomes))


@dataclass(frozen=True)
class Message:
    """One entry of a topic."""

    topic: str
    place: tuple[int, int]
    raw: bytes
    event: dict[str, Any] | None
    """What it says, if it is readable at all."""

    @property
    def identity(self) -> str:
        """The identity of the event that it carries, independent of the envelope id."""
        event = self.event or {}
        return str(event.get("eventid", event.get("id", "")))

    @classmethod
    def read(cls, topic: str, entry: str, raw: bytes) -> Message:
        """Read an entry."""
        first, second = entry.split("-")
        try:
            event = orjson.loads(raw)
        except orjson.JSONDecodeError:
            event = None
        return cls(topic, (int(first), int(second)), raw, event if isinstance(event, dict) else None)


@dataclass(frozen=True)
class Waiting:
    """The remaining messages of one consumer group of one topic."""

    topic: str
    group: str
    pending: int
    behind: int


@dataclass
class Evidence:
    """All evidence, at one moment after the quiet time."""

    orders: list[Ordered]
    ends: dict[str, tuple[str, float]]
    late: dict[str, float]
    stores: dict[str, Store]
    messages: list[Message]
    dead_letters: list[dict[str, Any]]
    groups: list[Waiting]
    entries: list[dict[str, Any]]
    delivered: dict[str, int]
    hostile: frozenset[bytes]
    now: str
    aimed: Mapping[bytes, frozenset[str]] = field(default_factory=dict)
    attacks: tuple[Attack, ...] = ()
    accounts: tuple[Account, ...] = ()
    by_identity: dict[str, list[Message]] = field(init=False)

    def __post_init__(self) -> None:
        self.by_identity = by_identity(self.messages)


def by_identity(messages: Iterable[Message]) -> dict[str, list[Message]]:
    """Sort messages by the event that they carry, independent of the envelope id."""
    found: dict[str, list[Message]] = {}
    for message in messages:
        if message.identity:
            found.setdefault(message.identity, []).append(message)
    return found


@dataclass(frozen=True)
class Seen:
    """The observations while the orders flowed.

    Attributes:
        ends: order ids with the first published end, and its time.
        late: seconds of calm until each order ended.
        delivered: the delivered quantity of each product.
        now: deadlines that are due later are not judged.
    """

    orders: list[Ordered]
    ends: dict[str, tuple[str, float]]
    late: dict[str, float]
    delivered: dict[str, int]
    now: str


@dataclass(frozen=True)
class Books:
    """The places of all records: of a flow on this machine or in a cluster.

    Attributes:
        dsn: the database, as a URL or as words of which the first five give its address.
        provider: the base URL of the payment provider.
        hostile: messages that the attack put there.
        aimed: the services that must quarantine each of them.
        attacks: the state of the processes when they came.
        processes: the base URL of every replica that reports its counters.
    """

    dsn: str
    broker: Broker
    session: aiohttp.ClientSession
    provider: str
    hostile: frozenset[bytes] = frozenset()
    aimed: Mapping[bytes, frozenset[str]] = field(default_factory=dict)
    attacks: tuple[Attack, ...] = ()
    processes: Mapping[str, str] = field(default_factory=dict)


async def gather(books: Books, seen: Seen) -> Evidence:
    """Read all evidence."""
    services = services_of(".".join(FLOW.parts))
    rows = await postgres_rows(books.dsn, [service.name for service in services])
    return Evidence(
        orders=seen.orders,
        ends=seen.ends,
        late=seen.late,
        stores={service.name: Store.read(service, rows[service.name]) for service in services},
        messages=[
            Message.read(topic, entry, raw) for topic in TOPICS async for entry, raw in entries(books.broker, topic)
        ],
        dead_letters=[
            orjson.loads(raw)["data"]
            for service in services
            async for _, raw in entries(books.broker, NAMES.on_broker(dead_letters(service.name)))
        ],
        groups=await waiting(books.broker),
        entries=await _ledger(books),
        delivered=seen.delivered,
        hostile=books.hostile,
        now=seen.now,
        aimed=books.aimed,
        attacks=books.attacks,
        accounts=tuple([await account_of(books.session, *one) for one in books.processes.items()]),
    )


async def waiting(client: Broker) -> list[Waiting]:
    """Read the remaining messages of every consumer group of every topic."""
    found: list[Waiting] = []
    async for key in client.scan_iter(_type="stream"):
        topic = key.decode()
        for group in await client.xinfo_groups(topic):
            behind = group.get("lag")
            if behind is None:
                behind = len(await client.xrange(topic, min=f"({group['last-delivered-id'].decode()}", count=1))
            found.append(Waiting(topic, group["name"].decode(), group["pending"], behind))
    return found


async def postgres_rows(dsn: str, services: list[str]) -> dict[str, dict[str, str]]:
    """Read all records of the flow in PostgreSQL, by service and by kind and id; the login may read everything."""
    # The other words of a connection string are for the driver of sidecars; this driver does not know them.
    async with await psycopg.AsyncConnection.connect(" ".join(dsn.split()[:5])) as connection:
        rows: dict[str, dict[str, str]] = {}
        for service in services:
            schema = f"{FLOW.name}_{service}".replace("-", "_")
            cursor = await connection.execute(every_record(f"{schema}."))
            rows[service] = {f"{service}.{kind}.{ident}": record async for kind, ident, record in cursor}
    return rows


def every_record(schema: str = "") -> LiteralString:
    """Return the statement that reads all records of a service."""
    tables = ("entity_records", "outcome_records", "note_records")
    each = [f"select kind, id, record from {schema}{table}" for table in tables]  # noqa: S608 - the names are ours
    return " union all ".join(each)


async def _ledger(books: Books) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        url = f"{books.provider}/ledger/entries?after={after}&limit=1000"
        async with books.session.get(url) as answer:
            answer.raise_for_status()
            page = await answer.json()
        found += page["entries"]
        after = page["next"]
    return found
