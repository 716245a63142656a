"""The requirements on a store, each shown on the real server with the client that services use."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

from choreography.conform.result import Case, NotMetError, require
from choreography.conform.store_rig import StoreRig
from choreography.engine.identity import Key
from choreography.engine.operations import ANY_ETAG, Committed, Stored, Unknown, Write
from choreography.stores.port import Store
from choreography.stores.tables import TABLES

_RACERS: Final = 12
_PATIENCE: Final = 90.0


def _keys(count: int) -> list[Key]:
    run = secrets.token_hex(6)
    return [Key("conform", "probe", f"{run}/{number}") for number in range(count)]


async def _put(store: Store, *writes: Write) -> None:
    answer = await store.commit(writes)
    require(isinstance(answer, Committed), f"a plain transaction was answered {answer}")


async def _value(store: Store, key: Key) -> str | None:
    async with asyncio.timeout(_PATIENCE):
        while isinstance(stored := await store.confirm(key), Unknown):  # noqa: ASYNC110 - a store sends no signal
            await asyncio.sleep(0.2)
    return stored.value if isinstance(stored, Stored) else None


async def _etag(store: Store, key: Key) -> str:
    stored = await store.confirm(key)
    if not isinstance(stored, Stored):
        raise NotMetError(f"{key} was just written and is not there: {stored}")
    require(bool(stored.etag), "a value came without an ETag")
    return stored.etag


async def a_stale_etag_aborts_all(rig: StoreRig) -> str:
    """One outdated write must abort its whole transaction."""
    one, two, new = _keys(3)
    await _put(rig.one, Write(one, "1", ANY_ETAG), Write(two, "1", ANY_ETAG))
    stale = await _etag(rig.one, two)
    await _put(rig.one, Write(two, "2", stale))
    writes = [Write(one, "3", await _etag(rig.one, one)), Write(new, "3", None), Write(two, "3", stale)]
    answer = await rig.one.commit(writes)
    require(not isinstance(answer, Committed), "it committed")
    found = [await _value(rig.one, key) for key in (one, two, new)]
    require(found == ["1", "2", None], f"it left behind {found}")
    return f"aborted whole, and told as {type(answer).__name__}"


async def first_write_on_an_existing_key_fails(rig: StoreRig) -> str:
    """A create of an existing key must fail, and abort the rest of the transaction."""
    one, new = _keys(2)
    await _put(rig.one, Write(one, "1", None))
    answer = await rig.one.commit([Write(new, "2", None), Write(one, "2", None)])
    require(not isinstance(answer, Committed), "it committed")
    found = [await _value(rig.one, key) for key in (one, new)]
    require(found == ["1", None], f"it left behind {found}")
    return f"aborted whole, and told as {type(answer).__name__}"


async def a_deleted_key_is_no_match(rig: StoreRig) -> str:
    """The ETag of a deleted row must match nothing."""
    (one,) = _keys(1)
    answer = await rig.one.commit([Write(one, "1", "b4c1a7de-3a54-4b8e-9a3e-1d2a8a7a3f10")])
    require(not isinstance(answer, Committed), "it committed")
    require(await _value(rig.one, one) is None, "it wrote something")
    return f"refused, and told as {type(answer).__name__}"


async def creators_have_one_winner(rig: StoreRig) -> str:
    """If many create one key at the same moment, through two sidecars, exactly one must win."""
    rounds, winners = 8, 0
    for _ in range(rounds):
        (one,) = _keys(1)
        beside = _keys(_RACERS)
        answers = await asyncio.gather(
            *(
                (rig.one if number % 2 else rig.two).commit(
                    [Write(beside[number], "x", None), Write(one, f"{number}", None)]
                )
                for number in range(_RACERS)
            )
        )
        won = [number for number, answer in enumerate(answers) if isinstance(answer, Committed)]
        value = await _value(rig.one, one)
        left = [number for number, key in enumerate(beside) if await _value(rig.one, key) is not None]
        require(len(left) <= 1, f"{len(left)} of {_RACERS} transactions left something behind")
        require(value is None or left == [int(value)], f"{value} is stored, but {left} left something behind")
        require(set(won) <= set(left), f"{won} were told they won, and {left} did")
        winners += len(left)
    require(winners > 0, "nobody ever won")
    return f"never two; {winners} of {rounds} races had a winner at the first try"


async def writers_of_one_version_have_one_winner(rig: StoreRig) -> str:
    """If many change one version, through two sidecars, exactly one must win."""
    (one,) = _keys(1)
    await _put(rig.one, Write(one, "0", None))
    changes = 0
    for _ in range(10):
        etag = await _etag(rig.one, one)
        answers = await asyncio.gather(
            *((rig.one if number % 2 else rig.two).commit([Write(one, f"{number}", etag)]) for number in range(_RACERS))
        )
        won = [answer for answer in answers if isinstance(answer, Committed)]
        require(len(won) <= 1, f"{len(won)} changed the same version")
        changes += len(won)
    require(changes > 0, "nobody ever won")
    return f"never two; {changes} of 10 races had a winner at the first try"


async def an_unknown_outcome_is_whole(rig: StoreRig) -> str:
    """A server that dies during a transaction must have written all of it or nothing, whatever it answered."""
    server = rig.server()
    written, unknown = 0, 0
    for moment in (0.0, 0.01, 0.03):
        keys = _keys(200)
        commit = asyncio.create_task(rig.one.commit([Write(key, "x" * 500, None) for key in keys]))
        await asyncio.sleep(moment)
        await server.kill()
        answer = await commit
        await server.start()
        await server.until_ready()
        found = [await _value(rig.one, key) for key in keys[::20]]
        there = sum(value is not None for value in found)
        require(there in (0, len(found)), f"{there} of {len(found)} were there")
        require(there > 0 or not isinstance(answer, Committed), "it said yes and had nothing")
        written += there > 0
        unknown += isinstance(answer, Unknown)
    return f"{written} of 3 were written whole, the others not at all; {unknown} without an answer"


async def what_was_committed_survives_a_crash(rig: StoreRig) -> str:
    """Confirmed writes must survive a crash of the server."""
    server = rig.server()
    keys = _keys(50)
    await _put(rig.one, *(Write(key, "kept", None) for key in keys))
    await server.kill()
    await server.start()
    await server.until_ready()
    lost = [key for key in keys if await _value(rig.one, key) != "kept"]
    require(not lost, f"{len(lost)} of {len(keys)} are gone")
    return "all of it"


async def a_time_to_live_ends(rig: StoreRig) -> str:
    """Outcomes must expire by themselves, and an expired key can be created again."""
    short, long = _keys(2)
    await _put(rig.one, Write(short, "1", None, 2), Write(long, "1", None, 600))
    require(await _value(rig.one, short) == "1", "it was gone at once")
    async with asyncio.timeout(20):
        while await _value(rig.one, short) is not None:
            # Services delete expired rows from their own tables; Dapr's components delete theirs themselves.
            for table in TABLES:
                await rig.one.clean(table, 100)
            await asyncio.sleep(0.2)
    require(await _value(rig.one, long) == "1", "it took with it what should stay")
    again = await rig.one.commit([Write(short, "2", None)])
    made = "and can be made again" if isinstance(again, Committed) else "and can be made again once it is cleaned up"
    return f"gone in time, {made}"


async def a_bulk_get_shows_all(rig: StoreRig) -> str:
    """A bulk get returns five hundred keys at once, including the absent ones."""
    keys = _keys(500)
    there = keys[::2]
    await _put(rig.one, *(Write(key, str(key), None) for key in there))
    values = await rig.one.read(keys)
    require(not values.failed, f"{len(values.failed)} could not be read")
    wrong = [
        key
        for key in keys
        if (values.found[key].value if key in values.found else None) != (str(key) if key in there else None)
    ]
    require(not wrong, f"{len(wrong)} of {len(keys)} are wrong")
    return f"{len(there)} found and {len(keys) - len(there)} not"


async def texts_come_back_to_the_letter(rig: StoreRig) -> str:
    """Numbers beyond 2^53, unusual characters and large records must come back unchanged."""
    texts = [
        '{"n":9007199254740993,"f":1.0,"e":1e400}',
        '{"s":"ä 漢字 \\u0000 😀 \\\\ \\""}',
        '{"b":"' + "x" * 200_000 + '"}',
        " [1,  2 ] ",
    ]
    keys = _keys(len(texts))
    await _put(rig.one, *(Write(key, text, None) for key, text in zip(keys, texts, strict=True)))
    changed = [text[:40] for key, text in zip(keys, texts, strict=True) if await _value(rig.one, key) != text]
    require(not changed, f"changed: {changed}")
    return "to the letter, up to 200 KB"


STORE_CASES: Final[Sequence[Case]] = (
    Case("a stale ETag aborts the whole transaction", a_stale_etag_aborts_all),
    Case("first-write on an existing key fails", first_write_on_an_existing_key_fails),
    Case("an ETag matches nothing where nothing is", a_deleted_key_is_no_match),
    Case("concurrent creators have one winner", creators_have_one_winner),
    Case("concurrent writers of one version have one winner", writers_of_one_version_have_one_winner),
    Case("an outcome that is unknown is whole", an_unknown_outcome_is_whole),
    Case("what was committed survives a crash of the server", what_was_committed_survives_a_crash),
    Case("a time to live ends", a_time_to_live_ends),
    Case("a bulk get shows all there is", a_bulk_get_shows_all),
    Case("texts come back to the letter", texts_come_back_to_the_letter),
)
