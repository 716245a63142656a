"""The further promises of the direct drivers: snapshots, named conflicts, hostile keys, whole transactions."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from choreography.conform.database_rig import SERVICE, DatabaseRig
from choreography.conform.result import Case, NotMetError, NotShownError, require
from choreography.engine.identity import Key
from choreography.engine.operations import ANY_ETAG, Committed, Conflict, Refused, Stored, Unknown, Write
from choreography.errors import SelfCheckError
from choreography.stores.address import DatabaseAddress
from choreography.stores.port import Store

_KINDS: Final = ("thing", "outcome", "probe")
"""A kind of each table."""
_HOSTILE: Final = (
    "a'b\"c\\d%s$1{}?:x",
    "two||bars",
    "order\nnext\tline",
    "漢字 😀" * 40,
    "x" * 256,
    "\u202eright to left",
    " ",
    "A",
    "a",
    "é",
    "e\u0301",
)
"""Ids that a store might cut, fold or take for something else."""
_MOST: Final = 1000


def _keys(count: int, kind: str = "thing") -> list[Key]:
    run = secrets.token_hex(6)
    return [Key(SERVICE, kind, f"{run}/{number}") for number in range(count)]


async def _put(store: Store, *writes: Write) -> None:
    answer = await store.commit(writes)
    require(isinstance(answer, Committed), f"a plain transaction was answered {answer}")


async def _etag(store: Store, key: Key) -> str:
    stored = await store.confirm(key)
    if not isinstance(stored, Stored):
        raise NotMetError(f"{key} was just written and is not there: {stored}")
    return stored.etag


async def a_conflict_names_its_keys(rig: DatabaseRig) -> str:
    """The error names the key that had changed, so the caller need not read all keys again."""
    fresh, stale, taken = (Key(SERVICE, kind, secrets.token_hex(6)) for kind in _KINDS)
    await _put(rig.one, Write(stale, "1", None), Write(taken, "1", None))
    etag = await _etag(rig.one, stale)
    await _put(rig.one, Write(stale, "2", etag))
    for wrong, key in ((Write(stale, "3", etag), stale), (Write(taken, "3", None), taken)):
        answer = await rig.one.commit([Write(fresh, "3", None), wrong])
        require(isinstance(answer, Conflict), f"a conflict was answered {answer}")
        require(key.logical_id in str(answer), f"the answer does not name {key.logical_id}: {answer}")
        require(await rig.one.confirm(fresh) is None, "the rest of the transaction stayed")
    return "named, over all three tables"


async def a_version_never_comes_back(rig: DatabaseRig) -> str:
    """A row that was deleted and written again must not count as the row that was read."""
    seen: set[str] = set()
    (key,) = _keys(1)
    for _ in range(8):
        await _put(rig.one, Write(key, "1", None))
        for _ in range(2):
            etag = await _etag(rig.one, key)
            require(etag not in seen, f"the version {etag} came back")
            seen.add(etag)
            await _put(rig.one, Write(key, "2", etag))
        seen.add(await _etag(rig.one, key))
        await _put(rig.one, Write.deletion(key))
    return f"{len(seen)} versions of one key, no two alike"


async def a_failed_read_shows_no_absence(rig: DatabaseRig) -> str:
    """A failed read must name its keys; if they looked absent, an event would run again."""
    nowhere = DatabaseAddress.read("sqlite:////dev/null", "x") if rig.address.is_file else None
    store = rig.another(nowhere or DatabaseAddress.read(rig.url, "choreography_nowhere"))
    keys = _keys(5)
    try:
        values = await store.read(keys)
        require(values.failed == frozenset(keys), f"only {len(values.failed)} of {len(keys)} were named as not read")
        require(not values.found, "something was found")
        answer = await store.confirm(keys[0])
        require(isinstance(answer, Unknown), f"one that could not be read was answered {answer}")
    finally:
        await store.close()
    return "every key is named as not read"


async def a_read_is_one_snapshot(rig: DatabaseRig) -> str:
    """Keys that are always changed together must never be seen half-changed."""
    keys = [Key(SERVICE, kind, secrets.token_hex(6)) for kind in _KINDS]
    await _put(rig.one, *(Write(key, "0", None) for key in keys))
    until, looks = time.monotonic() + 1.5, 0

    async def change() -> None:
        number = 0
        while time.monotonic() < until:
            number += 1
            await _put(rig.two, *(Write(key, str(number), ANY_ETAG) for key in keys))

    changing = asyncio.create_task(change())
    while time.monotonic() < until:
        found = {one.value for one in (await rig.one.read(keys)).found.values()}
        require(len(found) == 1, f"one read saw {found}")
        looks += 1
    await changing
    return f"{looks} reads, each of one moment"


async def hostile_keys_stay_apart(rig: DatabaseRig) -> str:
    """Ids come from outside. No id may be truncated, confused with another, or executed as SQL."""
    run = secrets.token_hex(6)
    for kind in _KINDS:
        keys = [Key(SERVICE, kind, f"{run}{one}") for one in _HOSTILE]
        await _put(rig.one, *(Write(key, str(number), None) for number, key in enumerate(keys)))
        found = (await rig.one.read(keys)).found
        wrong = [key.logical_id for number, key in enumerate(keys) if found[key].value != str(number)]
        require(not wrong, f"mixed up: {wrong}")
    for odd in ("\ud800", "\udfff x"):
        key = Key(SERVICE, "thing", f"{run}{odd}")
        answer = await rig.one.commit([Write(key, "1", None)])
        require(isinstance(answer, Refused), f"half a character was answered {answer}")
        require(await rig.one.confirm(key) is None, "half a character is there")
    return f"{len(_HOSTILE)} in each of three tables; half a character is refused"


async def a_large_batch_is_one_transaction(rig: DatabaseRig) -> str:
    """As many records as the engine writes at once, four mebibytes in all, are one transaction: all or none."""
    keys = _keys(_MOST, "outcome")
    text = '"' + "x" * 4190 + '"'
    answer = await rig.one.commit([*(Write(key, text, None) for key in keys[1:]), Write(keys[0], text, "7")])
    require(isinstance(answer, Conflict), f"one outdated write among {_MOST} was answered {answer}")
    require(not (await rig.one.read(keys)).found, "some of it stayed")
    began = time.monotonic()
    await _put(rig.one, *(Write(key, text, None) for key in keys))
    took = time.monotonic() - began
    require(len((await rig.one.read(keys)).found) == _MOST, "not all of it is there")
    return f"{_MOST} records of 4 KiB in {took * 1000:.0f} ms"


async def the_clock_is_told(rig: DatabaseRig) -> str:
    """The driver reports the clock of the database, and the self-check compares it with the clock of the process."""
    clock = await rig.one.clock(Key(SERVICE, "probe", "clock"))
    if clock is None:
        raise NotMetError("it does not say the time")
    apart = abs((datetime.now(UTC) - clock.at).total_seconds())
    return f"{apart:.1f} s from that of this machine"


async def what_loses_commits_is_refused(rig: DatabaseRig) -> str:
    """A service must not start on settings that would lose commits."""
    if rig.address.is_file:
        other = rig.another()
        try:
            await other.check()
        except SelfCheckError:
            return "a second process on the file"
        finally:
            await other.close()
        raise NotMetError("a second process was let in")
    settings = ("synchronous_commit=off", "default_transaction_read_only=on")
    for setting in settings:
        joined = "&" if "?" in rig.url else "?"
        store = rig.another(DatabaseAddress.read(f"{rig.url}{joined}{setting}", rig.address.schema))
        try:
            await asyncio.wait_for(store.check(), 20)
        except SelfCheckError:
            continue
        finally:
            await store.close()
        raise NotMetError(f"{setting} was accepted")
    return " and ".join(settings)


async def an_immediate_restart_loses_nothing(rig: DatabaseRig) -> str:
    """``pg_ctl restart -m immediate`` is a crash of the server in the middle of its work."""
    server, answered = rig.server(), []
    waiting = [_keys(20) for _ in range(60)]

    async def write(keys: Sequence[Key]) -> None:
        answer = await rig.two.commit([Write(key, "x" * 300, None) for key in keys])
        answered.append((keys, answer))

    tasks = []
    for number, batch in enumerate(waiting):
        tasks.append(asyncio.create_task(write(batch)))
        if number == 30:
            while len(answered) < 10:  # noqa: ASYNC110 - there is no signal for the answers to others
                await asyncio.sleep(0.005)
            await server.quit_at_once()
            await server.start()
    await server.until_ready()
    await asyncio.gather(*tasks)
    yes = 0
    for keys, answer in answered:
        there = len((await rig.one.read(keys)).found)
        require(there in (0, len(keys)), f"{there} of {len(keys)} of a transaction are there")
        require(there > 0 or not isinstance(answer, Committed), "it said yes and has nothing")
        yes += isinstance(answer, Committed)
    return f"{yes} of {len(answered)} transactions were confirmed and are there; the others whole or not at all"


async def a_killed_process_leaves_whole_transactions(rig: DatabaseRig) -> str:
    """``kill -9`` of a service while it commits: every confirmed transaction is there, and none is there in part."""
    confirmed = whole = 0
    for _ in range(1 if rig.address.is_file else 2):
        run = secrets.token_hex(6)
        if rig.address.is_file:
            # Only one process at a time may use a file.
            await rig.one.close()
            rig.one = rig.two = rig.another()
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "choreography.conform.writer", rig.address.schema, run),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        if child.stdin is None or child.stdout is None:
            raise NotShownError("a process without pipes")
        child.stdin.write(f"{rig.address.url}\n".encode())
        said = [await asyncio.wait_for(child.stdout.readline(), 300) for _ in range(10)]
        child.kill()
        await child.wait()
        said += (await child.stdout.read()).splitlines(keepends=True)
        last = max(int(line) for line in said if line.endswith(b"\n"))
        if rig.address.is_file:
            await rig.one.check()
        for number in range(last + 3):
            found = (await rig.one.read(written(run, number))).found
            require(len(found) in (0, len(_KINDS)), f"batch {number} is there by halves")
            require(bool(found) or number > last, f"batch {number} was confirmed and is not there")
            whole += bool(found)
        confirmed += last + 1
    return f"{confirmed} batches were confirmed, {whole} are there, all of them whole"


def written(run: str, number: int) -> list[Key]:
    """Return the keys of one batch of the killed process."""
    return [Key(SERVICE, kind, f"{run}/{number}") for kind in _KINDS]


DATABASE_CASES: Final[Sequence[Case]] = (
    Case("a conflict names its keys", a_conflict_names_its_keys),
    Case("a version never comes back", a_version_never_comes_back),
    Case("a failed read shows no absence", a_failed_read_shows_no_absence),
    Case("a read is one snapshot", a_read_is_one_snapshot),
    Case("hostile keys stay apart", hostile_keys_stay_apart),
    Case("a large batch is one transaction", a_large_batch_is_one_transaction),
    Case("the clock is told", the_clock_is_told),
    Case("what loses commits is refused", what_loses_commits_is_refused),
    Case("an immediate restart loses nothing", an_immediate_restart_loses_nothing),
    Case("a killed process leaves whole transactions", a_killed_process_leaves_whole_transactions),
)
