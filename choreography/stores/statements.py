"""The statements of the PostgreSQL driver: one for all reads of a batch, one for all of its writes.

Each is built once for each combination of tables and changes, and prepared by the server. Names are qualified by the
schema, because a pooler in transaction mode keeps no search path.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from choreography.stores.tables import Does, TablePart

_BORN: Final = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
"""The ETag of a new row: greater than the ETag of every earlier row with the same key."""


@lru_cache(maxsize=64)
def reading(schema: str, tables: Sequence[str]) -> str:
    """Return the statement that reads keys of these tables: $1 is the service, then kinds, ids and places for each."""
    return "\nunion all\n".join(
        f"select u.place, r.etag, r.record from unnest(${at}::text[], ${at + 1}::text[], ${at + 2}::int[]) "
        f"as u(kind, id, place) {_row('r.etag, r.record', f'{schema}.{table}')}"
        for at, table in zip(range(2, 2 + 3 * len(tables), 3), tables, strict=True)
    )


def _row(columns: str, table: str, condition: str = "") -> str:
    """Return a join with the row of each key ``u`` that can only be planned as a lookup in the primary key.

    A plain join could be planned otherwise. The server plans a statement once, while the table is empty, and the best
    plan for an empty table would later read the whole table for each batch. The planner never merges a query that has
    an offset.
    """
    return (
        f"cross join lateral (select {columns} from {table} r where r.service = $1 and r.kind = u.kind "
        f"and r.id = u.id{condition} offset 0) as r"
    )


@lru_cache(maxsize=512)
def writing(schema: str, parts: Sequence[TablePart]) -> str:
    """Return the statement that carries out these parts: $1 is the service, then follow the columns of each part.

    It raises, and none of its writes stay, unless every guarded write found its row in the expected version.
    """
    at, steps, counts, wanted, done = 2, [], [], [], []
    for number, part in enumerate(parts):
        keys = f"unnest(${at}::text[], ${at + 1}::text[]) as w(kind, id)"
        step = _insert(schema, part, at)
        if part.does in _OF_ROWS:
            steps.append(f"f{number} as ({_rows(schema, part, at)})")
            step = _OF_ROWS[part.does].format(table=f"{schema}.{part.table}", rows=f"f{number}")
        steps.append(f"p{number} as ({step})")
        if part.does is Does.DROP:
            # An existing row must go. If it changed meanwhile, it still exists.
            keys = f"f{number}"
        if part.does is not Does.PUT:
            counts.append(f"(select count(*) from {keys}) - (select count(*) from p{number})")
            wanted.append(f"select kind || '/' || id from {keys}")
            done.append(f"select kind || '/' || id from p{number}")
        at += _COLUMNS[part.does]
    verdict = "select 1"
    if counts:
        missing = f"array(({' union all '.join(wanted)}) except ({' union all '.join(done)}))"
        verdict = f"select case when {' + '.join(counts)} <> 0 then {schema}.refuse({missing}) end"
    return "with " + ",\n".join(steps) + "\n" + verdict


_COLUMNS: Final = {Does.BEGIN: 4, Does.PUT: 4, Does.CHANGE: 5, Does.STRIKE: 3, Does.DROP: 2}
"""How many parameters each change takes: kinds and ids first, then its other columns."""
_EXPIRES: Final = "now() + make_interval(secs => u.ttl)"

_DELETE: Final = "delete from {table} t using {rows} u where t.ctid = u.place returning t.kind, t.id"
_OF_ROWS: Final = {
    Does.CHANGE: "update {table} t set etag = t.etag + 1, record = u.record, changed_at = now(), "
    f"expires_at = {_EXPIRES} from {{rows}} u where t.ctid = u.place returning t.kind, t.id",
    Does.STRIKE: _DELETE,
    Does.DROP: _DELETE,
}
"""The changes of existing rows. A row that another transaction changed meanwhile has moved, and is not touched."""


def _rows(schema: str, part: TablePart, at: int) -> str:
    """Return the query for the places of the rows of a part, with their new values."""
    more = {Does.CHANGE: "record text, ttl int, etag bigint", Does.STRIKE: "etag bigint"}.get(part.does, "")
    columns = [one.split() for one in f"kind text, id text, {more}".removesuffix(", ").split(", ")]
    arrays = ", ".join(f"${number}::{kind}[]" for number, (_, kind) in enumerate(columns, at))
    names = ", ".join(name for name, _ in columns)
    version = " and r.etag = u.etag" if more else ""
    return f"select u.*, r.place from unnest({arrays}) as u({names}) " + _row(
        "r.ctid as place", f"{schema}.{part.table}", version
    )


def _insert(schema: str, part: TablePart, at: int) -> str:
    insert = (
        f"insert into {schema}.{part.table} as t (service, kind, id, etag, record, expires_at) "
        f"select $1, u.kind, u.id, {_BORN}, u.record, {_EXPIRES} "
        f"from unnest(${at}::text[], ${at + 1}::text[], ${at + 2}::text[], ${at + 3}::int[]) "
        "as u(kind, id, record, ttl) "
    )
    if part.does is Does.BEGIN:
        return insert + "on conflict do nothing returning kind, id"
    over = "etag = t.etag + 1, record = excluded.record, changed_at = now(), expires_at = excluded.expires_at"
    return insert + f"on conflict (service, kind, id) do update set {over} returning kind, id"
