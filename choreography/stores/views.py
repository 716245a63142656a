"""A view for each entity, with a column for each of its fields, so that anybody who knows SQL can ask questions."""

from __future__ import annotations

import types
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from choreography.contracts import Entity
from choreography.fields import plain_types

_COLUMNS: Final[dict[type, str]] = {
    bool: "boolean",
    int: "numeric",
    float: "double precision",
    str: "text",
    Decimal: "numeric",
    datetime: "timestamptz",
    date: "date",
}
_SHOWN: Final = {
    "boolean": "{schema}.as_truth(state -> '{field}')",
    "numeric": "{schema}.as_number(state -> '{field}')",
    "double precision": "{schema}.as_float(state -> '{field}')",
    "text": "state ->> '{field}'",
    "timestamptz": "{schema}.as_moment(state ->> '{field}')",
    "date": "{schema}.as_day(state ->> '{field}')",
    "jsonb": "state -> '{field}'",
}
"""How a column shows a field. None of these raises: what an older release wrote in another form is null there."""
_TAKEN: Final = frozenset(
    {"entities", "outcomes", "quarantine", "intents", "joins", "accepted_commands", "alembic_version"}
    | {"entity_records", "outcome_records", "note_records"}
)


def view_name(kind: str) -> str:
    """Return the name of the view of a kind of entity, such as ``orders`` of ``order``."""
    name = kind.replace("-", "_")
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        plural = f"{name[:-1]}ies"
    elif name.endswith(("s", "x", "z", "ch", "sh")):
        plural = f"{name}es"
    else:
        plural = f"{name}s"
    return f"{plural}_kept" if plural in _TAKEN else plural


def views(schema: str, entities: Iterable[type[Entity]], *, postgres: bool) -> list[str]:
    """Return the statements that make the views of a service's entities, or bring them to its fields."""
    ordered = sorted(entities, key=lambda one: one.kind)
    if postgres:
        return [_in_postgres(schema, entity) for entity in ordered]
    return [statement for entity in ordered for statement in _in_sqlite(entity)]


def _in_postgres(schema: str, entity: type[Entity]) -> str:
    """Return the statement for one entity.

    Other views may stand on it, and then it cannot be dropped. A new field is added at the end, which they bear; only a
    field that goes, or becomes another type, needs a new view.
    """
    columns = [
        _SHOWN[column_of(info.annotation)].format(schema=schema, field=field) + f' as "{field}"'
        for field, info in entity.model_fields.items()
    ]
    name = f'{schema}."{view_name(entity.kind)}"'
    chosen = ", ".join([*_extra(entity), *columns])
    view = f"view {name} as select {chosen} from {schema}.entities where kind = '{entity.kind}' and state is not null"
    return (
        f"do $migrate$ begin create or replace {view}; "
        f"exception when invalid_table_definition then drop view {name}; create {view}; end $migrate$"
    )


def _in_sqlite(entity: type[Entity]) -> list[str]:
    name = f'"{view_name(entity.kind)}"'
    columns = ", ".join([*_extra(entity), *(f"state ->> '$.{field}' as \"{field}\"" for field in entity.model_fields)])
    kept = f"entities where kind = '{entity.kind}' and state is not null"
    return [f"drop view if exists {name}", f"create view {name} as select {columns} from {kept}"]


def _extra(entity: type[Entity]) -> list[str]:
    return [f'"{extra}"' for extra in ("version", "changed_at") if extra not in entity.model_fields]


def column_of(annotation: Any) -> str:
    """Return the type of the column of a field; ``jsonb`` if no other one fits every value."""
    parts = {part for part in plain_types(annotation) if part is not types.NoneType}
    columns = {next((column for known, column in _COLUMNS.items() if issubclass(one, known)), "jsonb") for one in parts}
    return columns.pop() if len(columns) == 1 else "jsonb"
