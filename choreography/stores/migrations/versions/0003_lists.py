"""When an entity was first written, and its fields by which lists are asked for."""

from __future__ import annotations

from choreography.stores.migrations import run_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns, and what fills them in."""
    run_file(revision)
