"""The lock of a flow's contracts: the only rendering that reads its old file, because it keeps its promises."""

from __future__ import annotations

from choreography.analysis.lock import FILE, merged, read_lock, written
from choreography.render.source import Files, RenderSource


def lock_file(source: RenderSource) -> Files:
    """Render the contracts. If a contract breaks a promise, the promise stays, and `choreography check` reports it."""
    return {FILE: written(merged(read_lock(source.folder), source.services), source.name)}
