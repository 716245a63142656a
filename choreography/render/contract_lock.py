"""The lock of a flow's contracts. The one rendering that also reads itself: a promise is kept, not replaced."""

from __future__ import annotations

from choreography.analysis.lock import FILE, merged, read_lock, written
from choreography.render.source import Files, RenderSource


def lock_file(source: RenderSource) -> Files:
    """Render the contracts, except where that would break what is promised: then the promise stays, and is checked."""
    return {FILE: written(merged(read_lock(source.folder), source.services), source.name)}
