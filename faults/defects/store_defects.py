"""Defects in the direct drivers of databases, and in the migration to them."""

from __future__ import annotations

from typing import Final

from faults.defects.seeding import Change, Defect

_TESTS: Final = ("tests/integration/stores/test_tables.py", "tests/integration/stores/test_stores.py")


def _stored(name: str, does: str, module: str, *text: str) -> Defect:
    return Defect(name, 33, does, (Change(f"choreography.stores.{module}", *text),), _TESTS)


STORES: Final = (
    _stored(
        "guard-left-out",
        "a statement that found a row in another state than expected commits the rest",
        "statements",
        "        if part.does is not Does.PUT:",
        "        if part.does is Does.PUT:",
    ),
    _stored(
        "version-not-compared",
        "a row is written over whatever became of it since it was read",
        "statements",
        '    version = " and r.etag = u.etag" if more else ""',
        '    version = ""',
    ),
    _stored(
        "version-starts-at-one",
        "a row that was deleted and written again has the version of the one before it",
        "statements",
        '_BORN: Final = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"',
        '_BORN: Final = "1::bigint"',
    ),
    _stored(
        "service-left-out-of-the-key",
        "a service reads the records of another one in the same schema",
        "statements",
        "where r.service = $1 and r.kind = u.kind",
        "where $1::text is not null and r.kind = u.kind",
    ),
    _stored(
        "failed-read-shows-nothing",
        "what could not be read from PostgreSQL counts as absent, so its events are run again",
        "postgres",
        "            return Values({}, frozenset(keys))\n        return Values({keys[place]",
        "            return Values({})\n        return Values({keys[place]",
    ),
    _stored(
        "failed-file-shows-nothing",
        "what could not be read from a file counts as absent, so its events are run again",
        "sqlite",
        "            return Values({}, frozenset(keys))",
        "            return Values({})",
    ),
    _stored(
        "no-answer-is-a-yes",
        "a commit whose answer was lost counts as committed, so what it may not hold is published",
        "postgres",
        "        except _TROUBLE as error:\n            return Unknown(words_of(error))\n        return Committed()",
        "        except _TROUBLE:\n            return Committed()\n        return Committed()",
    ),
    _stored(
        "half-a-batch",
        "a transaction of a file that failed in the middle keeps what it had written",
        "sqlite",
        '                connection.execute("rollback")',
        '                connection.execute("commit")',
    ),
    _stored(
        "file-guard-left-out",
        "a file's row that was not as expected stops nothing",
        "sqlite",
        "            raise _ChangedError(named(write.key))",
        "            return",
    ),
    _stored(
        "cleaned-too-soon",
        "the cleaner deletes outcomes that late redeliveries still need",
        "postgres",
        "where expires_at < now() and service = $1",
        "where expires_at is not null and service = $1",
    ),
    _stored(
        "statements-named-by-a-counter",
        "behind a pooler two processes use one name for two statements, and one runs the other's",
        "own_connection",
        'return f"__{prefix}_{uuid.uuid4().hex}__"',
        'return f"__{prefix}_{uuid.UUID(int=1).hex}__"',
    ),
    _stored(
        "one-waits-after-another",
        "each that waits for a frozen server adds its time limit to that of those before it",
        "connections",
        "            await asyncio.wait_for(self._free.acquire(), SECONDS)",
        "            await self._free.acquire()",
    ),
    Defect(
        "folded-outcomes-left-behind",
        33,
        "what was done with an event stays inside of an entity's record, where no direct driver looks for it",
        (
            Change(
                "choreography.stores.from_dapr.recovering",
                "    for event_id, raw, at in folded:",
                "    for event_id, raw, at in folded[:0]:",
            ),
        ),
        ("tests/integration/stores/test_from_dapr.py",),
    ),
)
