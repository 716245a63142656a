"""Views that show every row, also rows that an older release or a person wrote in another form."""

from __future__ import annotations

from choreography.stores.migrations import run_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the views anew; a value that a column cannot show is null."""
    run_file(revision)
