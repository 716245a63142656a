"""The rights of database roles: a service reads and writes its own rows, a reporting role reads all views."""

from __future__ import annotations

from typing import Final

from choreography.errors import ChoreographyError
from choreography.stores.tables import TABLES

_LOOKUPS: Final = ("enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off", "enable_bitmapscan = off")
"""Keys are looked up in the index, even while the statistics of a growing table still describe an empty one."""
_NO_COMPILER: Final = ("jit = off",)
"""With the settings above asyncpg's query about types looks so costly that the server compiles it for seven seconds.
asyncpg switches that off for its session, but a pooler may send the query to another session.
"""
_PLANNED_ONCE: Final = ("plan_cache_mode = force_generic_plan",)
"""There is one good plan for each statement. Planning it anew for each batch would cost more than running it."""
_SERVICE: Final = ("lock_timeout = '2s'", "statement_timeout = '15s'", "idle_in_transaction_session_timeout = '5s'")
_REPORTING: Final = (
    "default_transaction_read_only = on",
    "statement_timeout = '30s'",
    "idle_in_transaction_session_timeout = '10s'",
)
"""A long-running read holds up autovacuum, which slows down every service."""


def grants(schema: str, role: str, reporting: str = "") -> list[str]:
    """Return the statements that let a service's role work in its schema, and let the reporting role read."""
    statements = []
    if role:
        refuse_odd(role)
        tables = ", ".join(f"{schema}.{table}" for table in TABLES)
        statements += [
            f'GRANT USAGE ON SCHEMA {schema} TO "{role}"',
            f'GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO "{role}"',
            f'GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO "{role}"',
            f'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO "{role}"',
        ]
    if reporting:
        refuse_odd(reporting)
        statements += [
            f'GRANT USAGE ON SCHEMA {schema} TO "{reporting}"',
            f'GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO "{reporting}"',
            f'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO "{reporting}"',
            f'ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO "{reporting}"',
        ]
    return statements


def settings_of(role: str, reporting: str = "") -> list[str]:
    """Return the statements that store session settings in these roles, as a pooler takes no settings from clients."""
    of_service = [(role, one) for one in (*_LOOKUPS, *_NO_COMPILER, *_PLANNED_ONCE, *_SERVICE)]
    settings = of_service + [(reporting, one) for one in _REPORTING]
    return [f'ALTER ROLE "{name}" SET {setting}' for name, setting in settings if name]


def refuse_odd(role: str) -> None:
    """Refuse the name of a role that cannot be quoted in a statement.

    Raises:
        ChoreographyError: the name is too long, or contains a quote or an invisible character.
    """
    if '"' in role or not role.isprintable() or len(role) > 63:
        raise ChoreographyError(f"{role!r} cannot be the name of a role. Use at most 63 characters, no quote.")
