"""The time when an entity was first written, and the fields by which lists are filtered."""

from __future__ import annotations

from choreography.stores.migrations import run_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns, and the triggers and functions that fill them."""
    run_file(revision)
