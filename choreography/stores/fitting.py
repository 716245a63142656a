"""Tests whether a table of the user's migrations can hold the rows of a projection, and says why if it cannot."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from choreography.errors import SelfCheckError
from choreography.fields import plain_types
from choreography.own_tables import Projection
from choreography.stores.tables import TABLES
from choreography.stores.views import column_of

_TAKES: Final[Mapping[str, tuple[str, ...]]] = {
    "boolean": ("boolean",),
    "bigint": ("bigint", "integer", "smallint", "numeric"),
    "numeric": ("numeric",),
    "double precision": ("double precision", "real", "numeric"),
    "text": ("text", "character varying", "bpchar", "uuid", "citext"),
    "timestamptz": ("timestamp with time zone",),
    "date": ("date",),
    "jsonb": ("jsonb", "json"),
}
_KNOWN: Final = frozenset(one for several in _TAKES.values() for one in several) | {"timestamp without time zone"}


class TableColumn(NamedTuple):
    """One column of a table.

    Attributes:
        type: its type by its PostgreSQL name; empty if the type is not checked, as in SQLite.
        base: the type without a length.
        nullable: whether it may be null.
        filled: whether the database fills it where an insert names no value.
        computed: whether the database always fills it.
    """

    type: str
    base: str
    nullable: bool
    filled: bool
    computed: bool = False


class FoundTable(NamedTuple):
    """The description of a table by its database.

    Attributes:
        columns: the columns by name.
        keys: for each unique index, the columns of the index.
        leading: the columns with which an index begins.
        lacks: rights on it that the role of the service does not have.
    """

    columns: Mapping[str, TableColumn]
    keys: Sequence[frozenset[str]]
    leading: frozenset[str]
    lacks: Sequence[str] = ()


def refuse_unfit(projection: Projection, where: str, found: FoundTable | None) -> None:
    """Refuse a table that cannot take the rows of a projection.

    Raises:
        SelfCheckError: the table cannot take them; the message names the missing column, right or index.
    """
    for problem in _problems(projection, where, found):
        raise SelfCheckError(
            f"The projection {projection.name} cannot write the table {where}: {problem} Its migrations are your own: "
            "nothing was changed."
        )


def _problems(projection: Projection, where: str, found: FoundTable | None) -> Iterator[str]:
    if where.rpartition(".")[2] in TABLES:
        yield "it is one of the library's own. Give your table another name."
    if found is None:
        yield "there is no such table. Run the migration that makes it, or name its schema: schema.table."
        return
    if found.lacks:
        rights = ", ".join(found.lacks)
        yield f"the role of this service lacks {rights} on it. Grant them to the role."
    fields = projection.row.model_fields
    for name, info in fields.items():
        column = found.columns.get(name)
        if column is None:
            yield (
                f"it has no column {name!r}, which {projection.row.__name__} has; it has {', '.join(found.columns)}. "
                "Add the column, or leave out the field."
            )
        else:
            yield from _misfits(name, info.annotation, column)
    for name, column in found.columns.items():
        if name not in fields and not (column.nullable or column.filled):
            yield (
                f"its column {name!r} must not be null and has no default, and {projection.row.__name__} has no such "
                "field. Add the field, or give the column a default."
            )
    if frozenset(projection.key) not in found.keys:
        key = ", ".join(projection.key)
        yield f"no unique index is on ({key}), so a row could not be replaced. Make ({key}) its primary key."
    if projection.owner not in found.leading:
        yield f"no index begins with {projection.owner!r}, by which the rows of an entity are found. Make one."


def _misfits(name: str, annotation: Any, column: TableColumn) -> Iterator[str]:
    if column.computed:
        yield f"its column {name!r} is computed by the database. Leave out the field."
    wanted = "bigint" if _is_whole(annotation) else column_of(annotation)
    list_in_jsonb = wanted == "jsonb" and column.type.endswith("[]")
    # The values of a user-defined type, such as an enum or a domain, are unknown here; the database checks them.
    if column.base in _KNOWN and column.base not in _TAKES[wanted] and not list_in_jsonb:
        yield (
            f"its column {name!r} is {column.type}, and the field needs {_TAKES[wanted][0]}. Change one of the two, so "
            "that no value is lost."
        )
    if not column.nullable and types.NoneType in plain_types(annotation):
        yield f"its column {name!r} must not be null, and the field may be None. Change one of the two."


def _is_whole(annotation: Any) -> bool:
    classes = {one for one in plain_types(annotation) if one is not types.NoneType}
    return bool(classes) and all(issubclass(one, int) and one is not bool for one in classes)
