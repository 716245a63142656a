"""What the roles of a database may do: a service reads and writes its own rows, a reporting role reads all views."""

from __future__ import annotations

from typing import Final

from choreography.errors import ChoreographyError
from choreography.stores.tables import TABLES

_LOOKUPS: Final = ("enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off", "enable_bitmapscan = off")
"""Keys are looked up in the index, also while the statistics of a growing table are those of an empty one."""
_NO_COMPILER: Final = ("jit = off",)
"""With these settings the question that asyncpg asks about types looks so costly that the server compiles it for seven
seconds. asyncpg switches that off for its session, but a pooler may give the question to another one.
"""
_PLANNED_ONCE: Final = ("plan_cache_mode = force_generic_plan",)
"""There is one good plan for each statement. Planning it anew for each batch costs more than carrying it out."""
_SERVICE: Final = ("lock_timeout = '2s'", "statement_timeout = '15s'", "idle_in_transaction_session_timeout = '5s'")
_REPORTING: Final = (
    "default_transaction_read_only = on",
    "statement_timeout = '30s'",
    "idle_in_transaction_session_timeout = '10s'",
)
"""A long reader keeps autovacuum from its work, and every service becomes slower."""


def grants(schema: str, role: str, reporting: str = "") -> list[str]:
    """Return the statements that let a service's role do its work in its schema, and the reporting role read."""
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
    """Return the statements that give the sessions of these roles their settings; a pooler takes none from clients."""
    of_service = [(role, one) for one in (*_LOOKUPS, *_NO_COMPILER, *_PLANNED_ONCE, *_SERVICE)]
    settings = of_service + [(reporting, one) for one in _REPORTING]
    return [f'ALTER ROLE "{name}" SET {setting}' for name, setting in settings if name]


def refuse_odd(role: str) -> None:
    """Refuse a name that no statement could hold in quotes.

    Raises:
        ChoreographyError: it is too long, or has a quote or something invisible in it.
    """
    if '"' in role or not role.isprintable() or len(role) > 63:
        raise ChoreographyError(f"{role!r} cannot be the name of a role. Use at most 63 characters, no quote.")
