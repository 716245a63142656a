"""The statements that bring the rows of entities in a user's table up to date.

Rows that a projection no longer returns are deleted, rows that it returns are written, and equal rows are not touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import orjson

from choreography.engine.beside import Rows
from choreography.own_tables import Projection


def where_of(projection: Projection, schema: str) -> str:
    """Return the name of a projection's table, with the schema; a SQLite file has no schemas."""
    schema_named, _, table = projection.table.rpartition(".")
    return f"{schema_named or schema}.{table}" if schema else table


def by_table(rows: Iterable[Rows]) -> Mapping[str, tuple[Projection, str, str]]:
    """Return for each table the projection, the keys of the entities, and their rows in order, as JSON.

    Rows are in the order of their keys, so that two replicas take locks in the same order.
    """
    tables: dict[str, list[Rows]] = defaultdict(list)
    for one in rows:
        tables[one.projection.table].append(one)
    return {
        table: (
            group[0].projection,
            orjson.dumps([one.key for one in group]).decode(),
            orjson.dumps([row for one in sorted(group, key=lambda one: one.key) for row in one.rows]).decode(),
        )
        for table, group in sorted(tables.items())
    }


def postgres_statement(where: str, key: Sequence[str], types: Mapping[str, str], owner_type: str) -> str:
    """Return the statement for PostgreSQL: $1 are the keys of entities and $2 their rows, both as JSON.

    Args:
        where: the table.
        key: the columns of its key; the first column holds the key of the entity.
        types: the type of each column.
        owner_type: the type of that first column without its length, as a length would cut a longer key.
    """
    names = ", ".join(_quoted(types))
    same = " and ".join(f't."{name}" = r."{name}"' for name in key)
    others = [name for name in types if name not in key]
    # The type json has no equality.
    old, new = (
        ", ".join(f'{row}."{name}"{"::text" if types[name] == "json" else ""}' for name in others)
        for row in ("t", "excluded")
    )
    change = f"update set {_assignments(others)} where ({old}) is distinct from ({new})" if others else "nothing"
    return (
        "with r as materialized (select * from jsonb_to_recordset($2::text::jsonb) as r("
        + ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        + ")), gone as ("
        f"delete from {where} t using jsonb_array_elements_text($1::text::jsonb) as o(id) "
        f'where t."{key[0]}" = o.id::{owner_type} and not exists (select from r where {same})) '
        f"insert into {where} as t ({names}) select {names} from r order by {', '.join(_quoted(key))} "
        f"on conflict ({', '.join(_quoted(key))}) do {change}"
    )


@lru_cache(maxsize=64)
def sqlite_statements(table: str, key: Sequence[str], columns: Sequence[str]) -> tuple[str, str]:
    """Return the two statements for SQLite: ?1 are the keys of entities and ?2 their rows, both as JSON."""
    names = ", ".join(_quoted(columns))
    same = " and ".join(f"""t."{name}" = r.value ->> '$.{name}'""" for name in key)
    others = [name for name in columns if name not in key]
    differs = " or ".join(f't."{name}" is not excluded."{name}"' for name in others)
    change = f"update set {_assignments(others)} where {differs}" if others else "nothing"
    gone = (
        f'delete from "{table}" as t where t."{key[0]}" in (select value from json_each(?1)) '
        f"and not exists (select 1 from json_each(?2) as r where {same})"
    )
    there = (
        f'insert into "{table}" as t ({names}) '
        f"select {', '.join(f'''value ->> '$.{name}' ''' for name in columns)} from json_each(?2) "
        f"where ?1 is not null on conflict ({', '.join(_quoted(key))}) do {change}"
    )
    return gone, there


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def _assignments(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}" = excluded."{name}"' for name in names)
