"""A view for each entity, with a column for each field and each part of its state, for everyone who knows SQL."""

from __future__ import annotations

import types
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from choreography.contracts import Entity
from choreography.fields import parts_of, plain_types

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
    "boolean": "{schema}.as_truth({json})",
    "numeric": "{schema}.as_number({json})",
    "double precision": "{schema}.as_float({json})",
    "text": "{text}",
    "timestamptz": "{schema}.as_moment({text})",
    "date": "{schema}.as_day({text})",
    "jsonb": "{json}",
}
"""How a column shows a field. No expression raises: a value that an older release wrote in another form is null."""
_TAKEN: Final = frozenset(
    {"entities", "outcomes", "quarantine", "intents", "joins", "accepted_commands", "alembic_version"}
    | {"entity_records", "outcome_records", "note_records"}
)


class ViewColumn(NamedTuple):
    """One column of a view.

    Attributes:
        name: its name.
        annotation: the type of all values that it may show.
        places: where the value is stored, as paths into the state; the first path with a value is shown.
    """

    name: str
    annotation: Any
    places: tuple[tuple[str, ...], ...]

    def read(self, arrow: str) -> str:
        """Return the PostgreSQL expression that reads it: as JSON with the arrow ``->``, as text with ``->>``."""
        return _first(
            [" ".join(["state", *_steps(path[:-1], "->"), *_steps(path[-1:], arrow)]) for path in self.places]
        )

    def read_in_sqlite(self) -> str:
        """Return the SQLite expression that reads it."""
        return _first([f"state ->> '$.{'.'.join(path)}'" for path in self.places])


def columns_of(entity: type[Entity]) -> list[ViewColumn]:
    """Return a column for each field of an entity; a field that holds a tagged union has a column for each part.

    A part that the entity ``drops`` was a field of its own in an earlier release. Its column stays in its place, as
    other views may depend on it, and shows the values of that release.
    """
    states, columns = parts_of(entity), list[ViewColumn]()
    for name, info in entity.model_fields.items():
        if name not in states:
            columns.append(ViewColumn(name, info.annotation, ((name,),)))
            continue
        earlier = {dropped: place for place, dropped in enumerate(entity.drops)}
        for part in sorted(states[name], key=lambda one: earlier.get(one.shown_as, len(earlier))):
            beside = ((part.shown_as,),) if part.shown_as in earlier else ()
            columns.append(ViewColumn(part.shown_as, part.annotation, ((name, part.name), *beside)))
    return columns


def view_name(kind: str) -> str:
    """Return the name of the view of a kind of entity, such as ``orders`` for ``order``."""
    name = kind.replace("-", "_")
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        plural = f"{name[:-1]}ies"
    elif name.endswith(("s", "x", "z", "ch", "sh")):
        plural = f"{name}es"
    else:
        plural = f"{name}s"
    return f"{plural}_kept" if plural in _TAKEN else plural


def views(schema: str, entities: Iterable[type[Entity]], *, postgres: bool) -> list[str]:
    """Return the statements that make the views of a service's entities, or adapt them to changed fields."""
    ordered = sorted(entities, key=lambda one: one.kind)
    if postgres:
        return [_in_postgres(schema, entity) for entity in ordered]
    return [statement for entity in ordered for statement in _in_sqlite(entity)]


def _in_postgres(schema: str, entity: type[Entity]) -> str:
    """Return the statement for one entity.

    Other views may depend on it, and then it cannot be dropped. A new field is added at the end, which does not disturb
    them; only a field that is removed, or gets another type, needs a new view.
    """
    columns = [
        _SHOWN[column_of(column.annotation)].format(schema=schema, json=column.read("->"), text=column.read("->>"))
        + f' as "{column.name}"'
        for column in columns_of(entity)
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
    shown = (f'{column.read_in_sqlite()} as "{column.name}"' for column in columns_of(entity))
    columns = ", ".join([*_extra(entity), *shown])
    kept = f"entities where kind = '{entity.kind}' and state is not null"
    return [f"drop view if exists {name}", f"create view {name} as select {columns} from {kept}"]


def _extra(entity: type[Entity]) -> list[str]:
    shown = {column.name for column in columns_of(entity)}
    return [f'"{extra}"' for extra in ("version", "changed_at") if extra not in shown]


def _steps(path: Iterable[str], arrow: str) -> list[str]:
    return [f"{arrow} '{name}'" for name in path]


def _first(places: Sequence[str]) -> str:
    return places[0] if len(places) == 1 else f"coalesce({', '.join(places)})"


def column_of(annotation: Any) -> str:
    """Return the type of the column of a field; ``jsonb`` if no other type fits every value."""
    parts = {part for part in plain_types(annotation) if part is not types.NoneType}
    columns = {next((column for known, column in _COLUMNS.items() if issubclass(one, known)), "jsonb") for one in parts}
    return columns.pop() if len(columns) == 1 else "jsonb"
