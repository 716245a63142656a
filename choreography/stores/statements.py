"""The statements of the PostgreSQL driver: one for everything that a batch reads, one for everything that it writes.

Each is built once for each combination of tables and changes, and prepared by the server. Names are qualified by the
schema, because a pooler in transaction mode keeps no search path.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from choreography.stores.tables import GUARDED, Does, Part

_BORN: Final = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
"""The ETag of a new row: greater than any that an earlier row of the same key can have reached."""


@lru_cache(maxsize=64)
def reading(schema: str, tables: Sequence[str]) -> str:
    """Return the statement that reads keys of these tables: $1 is the service, then kinds, ids and places for each."""
    return "\nunion all\n".join(
        f"select u.place, r.etag, r.record from unnest(${at}::text[], ${at + 1}::text[], ${at + 2}::int[]) "
        f"as u(kind, id, place) join {schema}.{table} r on r.service = $1 and r.kind = u.kind and r.id = u.id"
        for at, table in zip(range(2, 2 + 3 * len(tables), 3), tables, strict=True)
    )


@lru_cache(maxsize=512)
def writing(schema: str, parts: Sequence[Part]) -> str:
    """Return the statement that carries out these parts: $1 is the service, then the columns of each part.

    It raises, and nothing of it stays, unless every guarded write found its row as it was expected.
    """
    at, steps, counts, wanted, done = 2, [], [], [], []
    for number, part in enumerate(parts):
        step, columns = _step(schema, part, at)
        steps.append(f"p{number} as ({step})")
        if part.does in GUARDED:
            counts.append(f"(select count(*) from p{number}) - cardinality(${at}::text[])")
            wanted.append(f"select k || '/' || i from unnest(${at}::text[], ${at + 1}::text[]) as w(k, i)")
            done.append(f"select kind || '/' || id from p{number}")
        at += columns
    verdict = "select 1"
    if counts:
        missing = f"array(({' union all '.join(wanted)}) except ({' union all '.join(done)}))"
        verdict = f"select case when {' + '.join(counts)} <> 0 then {schema}.refuse({missing}) end"
    return "with " + ",\n".join(steps) + "\n" + verdict


def _step(schema: str, part: Part, at: int) -> tuple[str, int]:
    """Return one step, and how many parameters it takes: kinds and ids first, then what the change needs."""
    table = f"{schema}.{part.table}"
    kind, ident, third, fourth, fifth = (f"${number}" for number in range(at, at + 5))
    keys = f"{kind}::text[], {ident}::text[]"
    same = "t.service = $1 and t.kind = u.kind and t.id = u.id"
    expires = "now() + make_interval(secs => u.ttl)"
    match part.does:
        case Does.BEGIN | Does.PUT:
            insert = (
                f"insert into {table} (service, kind, id, etag, record, expires_at) "
                f"select $1, u.kind, u.id, {_BORN}, u.record, {expires} "
                f"from unnest({keys}, {third}::text[], {fourth}::int[]) as u(kind, id, record, ttl) "
            )
            if part.does is Does.BEGIN:
                return insert + "on conflict do nothing returning kind, id", 4
            over = "etag = t.etag + 1, record = excluded.record, changed_at = now(), expires_at = excluded.expires_at"
            insert = insert.replace(f"insert into {table} ", f"insert into {table} as t ")
            return insert + f"on conflict (service, kind, id) do update set {over} returning kind, id", 4
        case Does.CHANGE:
            update = (
                f"update {table} t set etag = t.etag + 1, record = u.record, changed_at = now(), "
                f"expires_at = {expires} from unnest({keys}, {third}::text[], {fourth}::int[], {fifth}::bigint[]) "
                f"as u(kind, id, record, ttl, etag) where {same} and t.etag = u.etag returning t.kind, t.id"
            )
            return update, 5
        case Does.STRIKE:
            delete = f"delete from {table} t using unnest({keys}, {third}::bigint[]) as u(kind, id, etag) "
            return delete + f"where {same} and t.etag = u.etag returning t.kind, t.id", 3
        case Does.DROP:
            return f"delete from {table} t using unnest({keys}) as u(kind, id) where {same} returning t.kind, t.id", 2
