"""The conditions that PostgreSQL must meet before a service trusts it with data."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import asyncpg
import structlog

from choreography.errors import SelfCheckError
from choreography.stores.address import DatabaseAddress
from choreography.stores.migrations import NEEDED

_NOTICE: Final = 5.0
_WRONG_LOGIN: Final = ("28", "3D")
_NO_TABLES: Final = ("42P01", "3F000", "42501")
NO_ANSWER: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncio.TimeoutError, OSError, EOFError)
"""The exceptions of a statement that no server answered."""
_SETTINGS: Final = (
    "select current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous_commit, "
    "current_setting('full_page_writes') as full_page_writes, pg_is_in_recovery() as replica, "
    "current_setting('default_transaction_read_only') as read_only"
)

log = structlog.get_logger()

Fetch = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
"""Runs one statement and returns its rows."""


async def check_server(address: DatabaseAddress, fetch: Fetch) -> None:
    """Wait until the server answers; then check its settings and its tables.

    Raises:
        SelfCheckError: it could lose commits, or its tables are not those of this release.
    """
    version = f"select version_num from {address.schema}.alembic_version"
    _judge(dict((await _answered(fetch, _SETTINGS))[0]))
    try:
        rows = await _answered(fetch, version)
    except asyncpg.PostgresError:
        rows = []
    found = str(rows[0][0]) if rows else ""
    if found != NEEDED:
        raise SelfCheckError(_other_version(address, found))


async def _answered(fetch: Fetch, statement: str) -> list[Any]:
    """Ask until there is an answer.

    Raises:
        SelfCheckError: the login or the URL is wrong, so waiting would not help.
        PostgresError: the table does not exist, or may not be read.
    """
    waited = 0.0
    while True:
        try:
            return await fetch(statement, ())
        except asyncpg.ClientConfigurationError as error:
            raise SelfCheckError("CHOREOGRAPHY_DATABASE has a parameter that no client knows.") from error
        except asyncpg.PostgresError as error:
            if (error.sqlstate or "")[:2] in _WRONG_LOGIN:
                raise SelfCheckError(
                    f"PostgreSQL does not let this service in: {error}. Check CHOREOGRAPHY_DATABASE, and that "
                    "`choreography migrate` was run for this database."
                ) from error
            if error.sqlstate in _NO_TABLES:
                raise
            trouble: Exception = error
        except NO_ANSWER as error:
            if sentence := untrusted(error):
                raise SelfCheckError(sentence) from error
            trouble = error
        if waited % _NOTICE == 0:
            log.warning("waiting for PostgreSQL", why=f"{type(trouble).__name__}: {trouble}", seconds=round(waited))
        await asyncio.sleep(0.5)
        waited += 0.5


def untrusted(error: Exception) -> str:
    """Return why a server fails the check of sslmode, where waiting is no help; empty for any other error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of PostgreSQL does not pass: {error.verify_message}. Name a file with the authority that "
            "signed it (sslrootcert in the URL, or PGSSLROOTCERT), and the server as its certificate does."
        )
    if isinstance(error, ConnectionError) and "rejected SSL" in str(error):
        return (
            "PostgreSQL does not encrypt connections, and sslmode asks for it. Switch TLS on at the server, or, where "
            "nobody can listen, write sslmode=disable (in the URL, or in PGSSLMODE)."
        )
    return ""


def _judge(settings: dict[str, Any]) -> None:
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        if settings[name] == "off":
            raise SelfCheckError(
                f"PostgreSQL runs with {name}=off, so a crash of the server may lose what it has committed: events "
                f"would be done twice, or never. Set {name}=on for this database."
            )
    if settings["replica"] or settings["read_only"] == "on":
        raise SelfCheckError(
            "This PostgreSQL only reads: it is a standby, or default_transaction_read_only is on. Nothing could be "
            "committed. Point CHOREOGRAPHY_DATABASE to the primary."
        )


def _other_version(address: DatabaseAddress, found: str) -> str:
    if not found:
        return (
            f"There are no tables of this service in the schema {address.schema!r}, or its role may not read them. "
            "Run `choreography migrate` with the role that owns the database. If they are in another schema, name it "
            "in CHOREOGRAPHY_SCHEMA."
        )
    behind = found < NEEDED
    return (
        f"The tables in the schema {address.schema!r} are at migration {found}, and this release needs {NEEDED}. "
        + ("Run `choreography migrate` before this release starts." if behind else "Deploy the release they belong to.")
    )
