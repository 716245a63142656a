"""Additions to the transaction that writes the records: rows of the service's own tables, and calls of its hooks."""

from __future__ import annotations

from typing import Any, NamedTuple

from choreography.own_tables import Committing, Hook, Projection


class Rows(NamedTuple):
    """All rows that one entity has in one table, as JSON. Its earlier rows that are not listed are deleted."""

    projection: Projection
    key: str
    rows: tuple[dict[str, Any], ...]


class HookCall(NamedTuple):
    """A hook to call, with its arguments."""

    hook: Hook
    committing: Committing


class Beside(NamedTuple):
    """Rows to write and hooks to call in the transaction that writes some records."""

    rows: tuple[Rows, ...]
    calls: tuple[HookCall, ...]
