"""The request for a page of a list, read from its query: filters on declared fields, a limit, and a cursor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from choreography.listing import cursor
from choreography.listing.filters import NULL as IS_NULL
from choreography.listing.list_view import AFTER, LIMIT, NULL, RESERVED, ListView

USUAL_PAGE: Final = 50
LARGEST_PAGE: Final = 200
_MOST_PARAMETERS: Final = 100


class AskedWronglyError(Exception):
    """A request that a list cannot answer; the message says why."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A page of a list.

    Attributes:
        view: the list.
        wanted: the wanted index text for each filter, by the name of its parameter.
        limit: the largest number of entities.
        after: the place of the last entity of the page before; None for the first page.
    """

    view: ListView
    wanted: Mapping[str, str]
    limit: int = USUAL_PAGE
    after: cursor.PagePlace | None = None

    def cursor(self, last: cursor.PagePlace) -> str:
        """Return the cursor for the page after the one that ends at a place."""
        return cursor.written(last, self.view, self.wanted)


def ask(view: ListView, query: bytes) -> ListRequest:
    """Read the query of a request.

    Raises:
        AskedWronglyError: a parameter is not declared, or a value is not valid.
    """
    single, nulls = _parameters(view, query)
    wanted = {name: _wanted(view, name, text) for name, text in single.items() if name in view.filters}
    for name in nulls:
        wanted[name] = _null(view, name, wanted)
    limit = _limit(single.get(LIMIT, str(USUAL_PAGE)))
    after = single.get(AFTER)
    if after is None:
        return ListRequest(view, wanted, limit)
    try:
        return ListRequest(view, wanted, limit, cursor.read(after, view, wanted))
    except ValueError as error:
        raise AskedWronglyError(f"The parameter {AFTER!r} cannot be used: {error}.") from error


def _parameters(view: ListView, query: bytes) -> tuple[dict[str, str], list[str]]:
    try:
        pairs = parse_qsl(query.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except UnicodeError:
        raise AskedWronglyError("The query is not in UTF-8, so nobody can tell what it asks.") from None
    except ValueError:
        raise AskedWronglyError(f"The query has more than {_MOST_PARAMETERS} parameters.") from None
    single: dict[str, str] = {}
    nulls: list[str] = []
    for name, text in pairs:
        if name == NULL:
            nulls.append(text)
        elif name not in view.filters and name not in RESERVED:
            known = ", ".join([*view.filters, *RESERVED])
            raise AskedWronglyError(
                f"This list has no parameter {name[:100]!r}, and to pass it over would show what was not asked for. "
                f"It has {known}."
            )
        elif name in single:
            raise AskedWronglyError(f"The parameter {name!r} is there twice. A list has one value for each.")
        else:
            single[name] = text
    return single, nulls


def _wanted(view: ListView, name: str, text: str) -> str:
    try:
        return view.filters[name].read(text)
    except ValueError as error:
        raise AskedWronglyError(f"The parameter {name!r} has no value that the field can have: {error}.") from error


def _null(view: ListView, name: str, wanted: Mapping[str, str]) -> str:
    optional = [one.name for one in view.filters.values() if one.optional]
    if name not in optional:
        raise AskedWronglyError(
            f"The parameter {NULL!r} names {name[:100]!r}, which is no filter of this list that can be null. "
            f"Those are: {', '.join(optional) or 'none'}."
        )
    if name in wanted:
        raise AskedWronglyError(f"{name!r} is asked to be null and to have a value. Ask for one of the two.")
    return IS_NULL


def _limit(text: str) -> int:
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= limit <= LARGEST_PAGE:
        raise AskedWronglyError(f"The parameter {LIMIT!r} must be an integer from 1 to {LARGEST_PAGE}.")
    return limit
