"""The declaration of a list: its entities, the fields by which it may be filtered, and its order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from choreography.contracts import Entity
from choreography.errors import DeclarationError
from choreography.listing.filters import Filter
from choreography.paths import refuse_our_path

AFTER: Final = "after"
LIMIT: Final = "limit"
NULL: Final = "null"
RESERVED: Final = (LIMIT, AFTER, NULL)
"""Parameters of every list: the limit, the cursor, and the fields that must be null."""
_MOST: Final = 16

By = Iterable[str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ListView:
    """One declared list: an HTTP route that shows many entities of one kind.

    Attributes:
        path: the path of its route.
        entity: the class of the shown entities.
        filters: its filters, by the names of the parameters.
        indexes: the indexed groups of fields; the empty group is an index of all entities.
        newest_first: whether entities written last come first; the order is by the first write, then by the id.
    """

    path: str
    entity: type[Entity]
    filters: Mapping[str, Filter]
    indexes: tuple[tuple[Filter, ...], ...]
    newest_first: bool


def read_list(path: str, entity: type[Entity], by: By, *, newest_first: bool) -> ListView:
    """Read the declaration of a list.

    Raises:
        DeclarationError: the list could not be shown, or could not be filtered.
    """
    where = f"The list {path!r}"
    if not path.startswith("/") or "{" in path:
        raise DeclarationError(
            f"{where} needs a fixed path, such as /orders: which entities are meant is said by filters in the query."
        )
    refuse_our_path(path, where)
    if isinstance(by, str):
        raise DeclarationError(f'{where} has by={by!r}, which is one text. Write by=("{by}",).')
    entity.model_rebuild(raise_errors=False)
    if not entity.__pydantic_complete__:
        raise DeclarationError(
            f"{where} shows {entity.__name__}, which mentions what is not declared yet. Declare the list below it."
        )
    groups = [(one,) if isinstance(one, str) else tuple(one) for one in by]
    found: dict[str, Filter] = {}
    for field in dict.fromkeys(field for group in groups for field in group):
        found[field] = _filter_of(entity, field, where)
    if len(found) > _MOST:
        raise DeclarationError(
            f"{where} has {len(found)} filters, and each has an index that every change of it is written to. At most "
            f"{_MOST} are possible."
        )
    indexes = dict.fromkeys([(), *(tuple(found[field] for field in dict.fromkeys(group)) for group in groups)])
    return ListView(path, entity, {one.name: one for one in found.values()}, tuple(indexes), newest_first)


def _filter_of(entity: type[Entity], field: str, where: str) -> Filter:
    if field not in entity.model_fields:
        near = difflib.get_close_matches(field, entity.model_fields, n=3)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise DeclarationError(
            f"{where} is to be filtered by {field!r}, and {entity.__name__} has no such field. {hint}"
            f"It has {', '.join(entity.model_fields)}."
        )
    made = Filter.of(entity, field)
    if any('"' in name or "\\" in name for name in made.spellings):
        raise DeclarationError(
            f"{where} is to be filtered by {field!r}, whose name on the wire has a quote or a backslash, which no path "
            "into JSON takes. Give it another one: Field(alias=...)."
        )
    if made.name in RESERVED:
        raise DeclarationError(
            f"{where} is to be filtered by {made.name!r}, which every list has as a parameter of its own "
            f"({', '.join(RESERVED)}). Give the field another name on the wire: Field(alias=...)."
        )
    return made
