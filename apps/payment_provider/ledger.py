"""The provider's ledger: one SQLite file, to which entries are added and never changed.

Entries that wait at the same moment share one transaction. A single thread owns the connection, so the event
loop never waits for the disk and no two writers ever meet.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from apps.payment_provider.entries import Entry, Left, Recorded, Totals, judge

T = TypeVar("T")

LARGEST_BATCH = 256
ENTRIES_OF_ONE_ORDER = 1_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    order_id TEXT NOT NULL,
    charge_id TEXT,
    refund_id TEXT,
    customer_id TEXT,
    amount INTEGER NOT NULL,
    currency TEXT,
    reason TEXT
);
CREATE INDEX IF NOT EXISTS entries_of_order ON entries (order_id);
CREATE INDEX IF NOT EXISTS entries_of_charge ON entries (charge_id) WHERE charge_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS switches (one INTEGER PRIMARY KEY CHECK (one = 1), faults TEXT NOT NULL);
"""
COLUMNS = "key, kind, order_id, charge_id, refund_id, customer_id, amount, currency, reason"


@dataclass
class _Waiting:
    """Proposals of the next transaction, with those who wait for them."""

    entries: list[tuple[Entry, asyncio.Future[Recorded]]] = field(default_factory=list)
    writer: asyncio.Task[None] | None = None


class Ledger:
    """The entries in one SQLite file, written in groups by one thread."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(SCHEMA)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._waiting = _Waiting()
        self.totals = Totals()
        for kind, amount in self._connection.execute("SELECT kind, amount FROM entries"):
            self.totals.add(kind, amount)

    async def record(self, proposed: Entry) -> Recorded:
        """Commit the entry, or find what its key already stands for; returns only after the commit."""
        future: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
        self._waiting.entries.append((proposed, future))
        if self._waiting.writer is None:
            self._waiting.writer = asyncio.create_task(self._write_what_waits())
        return await future

    async def of_order(self, order_id: str) -> list[Entry]:
        """Return the entries of one order, oldest first; one above the limit shows that there are more."""
        query = f"SELECT {COLUMNS} FROM entries WHERE order_id = ? ORDER BY number LIMIT ?"  # noqa: S608 constants
        rows = await self._read(query, (order_id, ENTRIES_OF_ONE_ORDER + 1))
        return [Entry(*row) for row in rows]

    async def page(self, after: int, limit: int) -> list[tuple[int, Entry]]:
        """Return numbered entries that follow the given number."""
        query = f"SELECT number, {COLUMNS} FROM entries WHERE number > ? ORDER BY number LIMIT ?"  # noqa: S608 constants
        rows = await self._read(query, (after, limit))
        return [(number, Entry(*row)) for number, *row in rows]

    async def load_switches(self) -> str | None:
        """Return the faults as they were last switched, so that a restart does not change them."""
        rows = await self._read("SELECT faults FROM switches", ())
        return rows[0][0] if rows else None

    async def save_switches(self, faults: str) -> None:
        """Keep the faults with the ledger."""
        await self._read("INSERT OR REPLACE INTO switches VALUES (1, ?)", (faults,))

    async def close(self) -> None:
        """Finish what waits, then close the file."""
        if self._waiting.writer is not None:
            await self._waiting.writer
        await self._in_thread(self._connection.close)
        self._thread.shutdown()

    async def _write_what_waits(self) -> None:
        waiting = self._waiting
        while waiting.entries:
            batch = waiting.entries[:LARGEST_BATCH]
            del waiting.entries[:LARGEST_BATCH]
            try:
                results = await self._in_thread(partial(self._commit, [entry for entry, _ in batch]))
            except sqlite3.Error as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), recorded in zip(batch, results, strict=True):
                if recorded.new:
                    self.totals.add(recorded.entry.kind, recorded.entry.amount)
                # A caller that went away cancelled its future; its entry stands all the same.
                if not future.done():
                    future.set_result(recorded)
        waiting.writer = None

    def _commit(self, proposals: Sequence[Entry]) -> list[Recorded]:
        """Decide and write one group. Few statements: each hands the interpreter lock over twice."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            known = self._known([entry.key for entry in proposals])
            left = self._left({str(e.charge_id) for e in proposals if e.kind == "refund" and e.key not in known})
            results: list[Recorded] = []
            fresh: list[Entry] = []
            for proposed in proposals:
                if (earlier := known.get(proposed.key)) is not None:
                    results.append(Recorded(earlier, new=False))
                    continue
                entry = judge(proposed, left) if proposed.kind == "refund" else proposed
                if entry.kind == "charge":
                    left[str(entry.charge_id)] = Left(entry.order_id, str(entry.currency), entry.amount)
                known[entry.key] = entry
                fresh.append(entry)
                results.append(Recorded(entry, new=True))
            if fresh:
                picked = ", ".join(f"json_extract(value, '$[{index}]')" for index in range(len(Entry._fields)))
                connection.execute(
                    f"INSERT INTO entries ({COLUMNS}) SELECT {picked} FROM json_each(?)",  # noqa: S608 constants
                    (json.dumps(fresh),),
                )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def _known(self, keys: Sequence[str]) -> dict[str, Entry]:
        rows = self._connection.execute(
            f"SELECT {COLUMNS} FROM entries WHERE key IN (SELECT value FROM json_each(?))",  # noqa: S608 constants
            (json.dumps(keys),),
        )
        return {row[0]: Entry(*row) for row in rows}

    def _left(self, charge_ids: set[str]) -> dict[str, Left]:
        if not charge_ids:
            return {}
        rows = self._connection.execute(
            "SELECT charge_id, kind, order_id, currency, amount FROM entries"
            " WHERE charge_id IN (SELECT value FROM json_each(?)) AND kind IN ('charge', 'refund')"
            " ORDER BY number",
            (json.dumps(sorted(charge_ids)),),
        )
        left: dict[str, Left] = {}
        for charge_id, kind, order_id, currency, amount in rows:
            if kind == "charge":
                left[charge_id] = Left(order_id, currency, amount)
            else:
                left[charge_id].amount -= amount
        return left

    async def _read(self, query: str, values: tuple[object, ...]) -> list[Any]:
        return await self._in_thread(lambda: self._connection.execute(query, values).fetchall())

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
