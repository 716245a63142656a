"""The SQL of lists: the statements that keep an entity's fields, make the indexes, and read a page.

In PostgreSQL a trigger writes the declared fields of an entity beside its record. So an update that changes none of
these fields touches no index, and entities that an old release writes while a new one is deployed are in the lists of
both. In SQLite, which serves one process and has no such updates, the indexes are on the record itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from choreography.contracts import Entity
from choreography.errors import SelfCheckError
from choreography.listing import Filter, Form, ListRequest, ListView
from choreography.stores.indexes import Index
from choreography.stores.tables import ENTITIES

_LONGEST: Final = 64
"""Bytes. A longer text is kept as its hash: an index accepts no row larger than a third of a page."""
_LONGEST_NAME: Final = 48
_AT_ONCE: Final = 500


class Row(NamedTuple):
    """One entity of a page."""

    logical_id: str
    born: int
    record: str


def indexes(service: str, views: Iterable[ListView], schema: str = "") -> list[Index]:
    """Return the indexes of lists: for a schema of PostgreSQL, or for SQLite if the schema is empty."""
    how = f"create index {'concurrently ' if schema else ''}if not exists"
    found = {}
    for view in views:
        for group in view.indexes:
            name, definition = _definition(service, view.entity, group, postgres=bool(schema))
            found[name] = Index(name, f'{how} "{name}" on {_table(schema)} {definition}')
    return list(found.values())


@lru_cache(maxsize=256)
def _definition(service: str, entity: type[Entity], group: tuple[Filter, ...], *, postgres: bool) -> tuple[str, str]:
    """Return the name of an index and its definition. Each definition has a different name."""
    columns = ", ".join([*(f"({_column(one, postgres=postgres)})" for one in group), "born", "id"])
    definition = f"({columns}) where {_listed(service, entity, postgres=postgres, alone=not group)}"
    spoken = re.sub(r"\W", "_", "_".join(["list", entity.kind, *(one.field for one in group)]), flags=re.ASCII)
    return f"{spoken[:54]}_{hashlib.sha256(definition.encode()).hexdigest()[:8]}", definition


def refuse_missing(wanted: Sequence[Index], there: Sequence[str], views: Sequence[ListView]) -> None:
    """Refuse a database without an index that a list of this release needs.

    Raises:
        SelfCheckError: such an index is missing.
    """
    missing = [index.name for index in wanted if index.name not in there]
    if missing:
        raise SelfCheckError(
            f"The lists at {', '.join(view.path for view in views)} need the index {missing[0]}, which is not there or "
            "not complete, so a page would be looked for in all entities. Run `choreography migrate` before this "
            "release starts."
        )


def page(service: str, asked: ListRequest, schema: str = "") -> tuple[str, list[Any]]:
    """Return the statement that reads a page and its arguments. One more entity shows whether a next page exists.

    Args:
        service: the service that owns the entities.
        asked: the requested page.
        schema: the schema in PostgreSQL; empty for SQLite.
    """
    view, arguments = asked.view, list[Any]()

    def given(value: Any) -> str:
        arguments.append(value)
        return f"${len(arguments)}" if schema else "?"

    where = [_listed(service, view.entity, postgres=bool(schema), alone=not asked.wanted)]
    for name, text in asked.wanted.items():
        column = _column(view.filters[name], postgres=bool(schema))
        where.append(f"({column}) = {given(_shortened(text) if schema else text)}")
    if asked.after is not None:
        beyond = "<" if view.newest_first else ">"
        where.append(f"(born, id) {beyond} ({given(asked.after.born)}, {given(asked.after.logical_id)})")
    way = "desc" if view.newest_first else "asc"
    by = "" if schema else f' indexed by "{_definition(service, view.entity, _nearest(asked), postgres=False)[0]}"'
    return (
        f"select id, born, record from {_table(schema)}{by} where {' and '.join(where)} "
        f"order by born {way}, id {way} limit {given(asked.limit + 1)}"
    ), arguments


def fields(views: Iterable[ListView], schema: str, role: str = "") -> list[str]:
    """Return the statements that make PostgreSQL keep the fields of these lists, besides those that it keeps already.

    Args:
        views: the lists.
        schema: the schema.
        role: the role with which the service writes its rows.
    """
    statements = []
    for entity, filters in _by_entity(views).items():
        kept = {"": "", **{one.key: _kept(one, schema) for one in filters}}
        rows = ", ".join(f"({', '.join(map(_quoted, (entity.kind, *one)))})" for one in kept.items())
        statements.append(f"insert into {schema}.list_fields values {rows} on conflict do nothing")
        statements.append(f"select {schema}.make_list('{entity.kind}', '{_name(entity.kind)}')")
        if role:
            made = f'{schema}."listed_{_name(entity.kind)}"(text)'
            statements.append(f'grant execute on function {made} to "{role}"')
    return statements


def filling(service: str, views: Iterable[ListView], schema: str) -> list[str]:
    """Return the statements that add the fields to existing entities: online, in batches, repeatable."""
    table = _table(schema)
    return [
        f"do $$ declare past text := ''; until text; begin loop "
        f"select max(id) into until from (select id from {table} where {mine} and id > past order by id "
        f"limit {_AT_ONCE}) as part; exit when until is null; "
        f"update {table} set listed = {made}, born = coalesce(born, etag) where {mine} and id > past and id <= until "
        f"and (born is null or listed is distinct from {made}); commit; past := until; end loop; end $$"
        for entity in _by_entity(views)
        for mine in [_of(service, entity.kind)]
        for made in [f'{schema}."listed_{_name(entity.kind)}"(record)']
    ]


def only_fields(views: Iterable[ListView], schema: str) -> list[str]:
    """Return the statements after which PostgreSQL keeps only the fields of these lists."""
    found = _by_entity(views)
    statements = [
        f"delete from {schema}.list_fields where kind = '{entity.kind}' and key not in ({keys})"
        for entity, filters in found.items()
        for keys in [", ".join(["''", *(_quoted(one.key) for one in filters)])]
    ]
    return [*statements, *fields(views, schema)]


def nothing_of(kind: str, schema: str) -> list[str]:
    """Return the statements after which PostgreSQL keeps no fields of a kind of entity for lists."""
    name = _name(kind)
    return [
        f'drop trigger if exists "list_{name}" on {_table(schema)}',
        f'drop function if exists {schema}."list_{name}"(), {schema}."listed_{name}"(text)',
        f"delete from {schema}.list_fields where kind = {_quoted(kind)}",
    ]


def _by_entity(views: Iterable[ListView]) -> dict[type[Entity], list[Filter]]:
    found: dict[type[Entity], dict[str, Filter]] = {}
    for view in views:
        found.setdefault(view.entity, {}).update({one.key: one for one in view.filters.values()})
    return {entity: list(filters.values()) for entity, filters in found.items()}


def _nearest(asked: ListRequest) -> tuple[Filter, ...]:
    """Return the most selective index: of those with only requested fields, the first with the most fields."""
    wanted = {asked.view.filters[name] for name in asked.wanted}
    return max((one for one in asked.view.indexes if wanted.issuperset(one)), key=len)


def _column(one: Filter, *, postgres: bool) -> str:
    if postgres:
        return f"listed ->> '{one.key}'"
    parts = [_path(name) for name in one.spellings]
    json = _first(f"record -> {part}" for part in parts)
    text = _text_in_sqlite(one.form, json, _first(f"record ->> {part}" for part in parts))
    return f"case when {json} is null then {_quoted(one.missing)} when {json} = 'null' then '-' else '=' || {text} end"


def _path(name: str) -> str:
    """Return a field's path from the root of the record: SQLite parses a record once for all such paths."""
    return _quoted(f'$.s."{name}"')


def _first(choices: Iterable[str]) -> str:
    found = list(choices)
    return f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]


def _text_in_sqlite(form: Form, json: str, text: str) -> str:
    """Return the SQL for the index text of a value, as ``choreography.listing.filters`` makes it, in plain SQLite."""
    match form:
        case Form.FLAG:
            return f"({json})"
        case Form.MOMENT:
            # A fraction has six digits; SQLite counts in milliseconds, and accepts no offset of a day.
            zone = f"substr({text}, case when substr({text}, 20, 1) = '.' then 27 else 20 end)"
            ahead = f"(substr({zone}, 1, 1) || '1') * (substr({zone}, 2, 2) * 3600 + substr({zone}, 5, 2) * 60)"
            fraction = f"case when substr({text}, 20, 1) = '.' then substr({text}, 21, 6) else 0 end"
            seconds = f"(strftime('%s', substr({text}, 1, 19)) - case when {zone} = 'Z' then 0 else {ahead} end)"
            return f"(case when {text} glob '[0-9]*' then {seconds} * 1000000 + {fraction} else {text} end)"
        case Form.DECIMAL:
            return _decimal_in_sqlite(text)
        case _:
            return f"({text})"


def _decimal_in_sqlite(text: str) -> str:
    plain = f"ltrim({text}, '-')"
    mantissa = f"substr({plain}, 1, instr({plain} || 'E', 'E') - 1)"
    whole = f"(instr({mantissa} || '.', '.') - 1)"
    power = f"cast(substr({plain}, instr({plain} || 'E', 'E') + 1) as integer)"
    led = f"ltrim(replace({mantissa}, '.', ''), '0')"
    zeros = f"(length(replace({mantissa}, '.', '')) - length({led}))"
    sign = f"case when substr({text}, 1, 1) = '-' then '-' else '' end"
    number = f"{sign} || rtrim({led}, '0') || 'e' || ({power} + {whole} - 1 - {zeros})"
    return f"(case when {led} = '' then '0' else {number} end)"


def _kept(one: Filter, schema: str) -> str:
    parts = _first(f"s -> {_quoted(name)}" for name in one.spellings)
    return f"{schema}.list_key({parts}, '{one.form}', {_quoted(one.missing)})"


def _listed(service: str, entity: type[Entity], *, postgres: bool, alone: bool) -> str:
    """Return the condition for an entity to be in lists: it exists. Tombstones and placeholders have no state.

    Args:
        service: the service that owns it.
        entity: its class.
        postgres: whether the database is PostgreSQL.
        alone: whether the request has no filters. A planner with old statistics would use the index of all entities
            even for a rare value, and skip every other entity; so that index has a condition that only this query has.
    """
    return f"{_of(service, entity.kind)} and " + (
        ("listed is not null" if postgres else "json_type(record, '$.s') = 'object'")
        + (" and born > 0" if alone else "")
    )


def _of(service: str, kind: str) -> str:
    return f"service = '{service}' and kind = '{kind}'"


def _table(schema: str) -> str:
    return f"{schema}.{ENTITIES}" if schema else ENTITIES


def _name(kind: str) -> str:
    """Return a kind shortened to a part of the name of a function, as PostgreSQL cuts long names."""
    name = kind.replace("-", "_")
    return name if len(name) <= _LONGEST_NAME else f"{name[:39]}_{hashlib.sha256(kind.encode()).hexdigest()[:8]}"


def _shortened(text: str) -> str:
    raw = text.encode()
    return text if len(raw) <= _LONGEST else f"#{hashlib.sha256(raw).hexdigest()}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
