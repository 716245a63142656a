"""The tables of a service, and the views in which a person reads them."""

from __future__ import annotations

from choreography.stores.migrations import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables and views."""
    run_file(revision)
