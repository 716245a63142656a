"""What goes into a transaction beside the records: rows of the service's own tables, and calls of its hooks."""

from __future__ import annotations

from typing import Any, NamedTuple

from choreography.own_tables import Committing, Hook, Projection


class Rows(NamedTuple):
    """All rows that one entity has in one table, in the form of JSON; those that it had before and are not here go."""

    projection: Projection
    key: str
    rows: tuple[dict[str, Any], ...]


class HookCall(NamedTuple):
    """A hook that is to be called, and what it is shown."""

    hook: Hook
    committing: Committing


class Beside(NamedTuple):
    """Rows to be written and hooks to be called in the transaction that writes some records."""

    rows: tuple[Rows, ...]
    calls: tuple[HookCall, ...]
