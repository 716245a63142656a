"""A connection to PostgreSQL that can be lent to a hook, which must return it in the same transaction."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import asyncpg

_QUOTED: Final = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.DOTALL)
_REFUSED: Final = re.compile(
    r"(?:^|;)\s*("
    r"commit|end|abort|begin|start\s+transaction|prepare\s+transaction|rollback(?!\s+(?:work\s+|transaction\s+)?to\b)|"
    r"set(?!\s+(?:local|constraints|transaction)\b)|reset|discard|listen|unlisten)\b",
    re.IGNORECASE,
)

Engine = TypeVar("Engine")

NOT_PREPARED: Final = ("26000", "42P05")
"""A prepared statement is missing, or exists already: a pooler has switched to another server."""


class LentError(Exception):
    """A hook did something with its connection that would outlast the event."""


class OwnConnection(asyncpg.Connection):  # type: ignore[misc, type-arg, unused-ignore] # its stubs are not there
    """A connection whose prepared statements have names that no other process uses.

    A pooler may switch it to a server on which another client prepared statements; with equal names it would run those.

    Attributes:
        status: the server's status for the last statement without arguments: it shows whether a COMMIT did commit.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.status = ""
        self._engine: Any = None
        self._lent = False

    def kept_engine(self, make: Callable[[], Engine]) -> Engine:
        """Return the engine that has only this connection; it is made when a hook first needs it."""
        if self._engine is None:
            self._engine = make()
        engine: Engine = self._engine
        return engine

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Refuse, inside this context, every statement that would end the transaction or outlast it."""
        self._lent = True
        try:
            yield
        finally:
            self._lent = False

    async def execute(self, query: str, *args: Any, **how: Any) -> str:
        """Run one or several statements, and keep the server's status for the last one."""
        if self._lent:
            self._refuse(query)
        self.status = await super().execute(query, *args, **how)
        return self.status

    async def close(self, **how: Any) -> None:
        """Close it, unless it is lent."""
        if self._lent:
            raise LentError("The connection belongs to the transaction; a hook must not close it.")
        await super().close(**how)

    def _get_statement(self, query: str, *how: Any, **named: Any) -> Any:
        # Nearly every statement passes here, so this awaits nothing.
        if self._lent:
            self._refuse(query)
        return super()._get_statement(query, *how, **named)

    def _refuse(self, query: str) -> None:
        if found := _REFUSED.search(_QUOTED.sub(" ", query)):
            word = " ".join(found[1].upper().split())
            raise LentError(
                f"A hook must not run {word}: the transaction is that of its event and of others, and the connection "
                "serves others after it. Use connection.transaction() or begin_nested() for a part that may be undone, "
                "and SET LOCAL for a setting."
            )

    def _get_unique_id(self, prefix: str) -> str:
        return f"__{prefix}_{uuid.uuid4().hex}__"
