"""The numbered migrations of a service's tables, as SQL for each database.

A new migration only adds; parts that are no longer needed are dropped one release later. A statement ends with a
semicolon and an empty line.

Not here: running them (`choreography.stores.migrating`), and the user's own tables (`choreography.own_tables`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

NEEDED: Final = "0003"
"""The number of the newest migration. A service that finds another number refuses to start."""


def run_file(number: str) -> None:
    """Run the statements of a migration in the database that Alembic is connected to, or print them."""
    from alembic import context, op  # noqa: PLC0415 - services import this module for the number alone

    dialect = op.get_context().dialect.name
    text = (Path(__file__).parent / f"{number}.{dialect}.sql").read_text()
    for statement in text.split(";\n\n"):
        op.execute(statement.replace("{schema}", context.config.attributes["schema"]).rstrip().removesuffix(";"))
